"""Explain an interpolation, such as ${seed}, that cannot be resolved. This module must not import torch."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

RAISED = re.compile(r"^\w+ raised while resolving interpolation: ")
REFERENCE = re.compile(r"\$\{([\w.]+)\}")  # an interpolation of another key's value
KEY = re.compile(r"^([\w.]+)(?=[=:])", re.MULTILINE)  # the key at the start of a line in an error message
MAX_SHOWN = 200  # largest number of characters of the reason in a message


def explain_interpolation(
    error: OmegaConfBaseException, overrides: Sequence[str] = (), cfg: DictConfig | None = None
) -> str:
    """Return which setting cannot be resolved, why, and which of the overrides have interpolations.

    Args:
        error: OmegaConf's error.
        overrides: the overrides of the command line, if they are known.
        cfg: the config that cannot be resolved, if it is known.
    """
    reason = RAISED.sub("", str(error).partition("\n")[0]).strip('"')
    shown = reason if len(reason) <= MAX_SHOWN else f"{reason[:MAX_SHOWN]}…"
    given = [override for override in overrides if "${" in override]
    key = (broken_key(cfg) if cfg is not None else None) or getattr(error, "full_key", None)
    lines = [f"{key}: {shown}" if key else shown]
    if given:
        lines = [f"{' '.join(given)}: {shown}", "${KEY} stands for the value of the setting KEY."]
        lines += [f"{key} needs this value."] if key and not any(text.startswith(f"{key}=") for text in given) else []
    return "\n".join(lines)


def broken_key(cfg: DictConfig) -> str | None:
    """Return the first key whose own interpolation cannot be resolved. Keys that refer to such a key do not count."""
    broken = {key: text for key, text in _texts(OmegaConf.to_container(cfg, resolve=False)) if _is_broken(cfg, key)}
    return next((key for key, text in broken.items() if not broken.keys() & set(REFERENCE.findall(text))), None)


def _texts(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the key and the text of every value with an interpolation, except the items of lists."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _texts(value, f"{key}.{name}" if key else str(name))
    elif isinstance(node, str) and "${" in node:
        yield key, node


def _is_broken(cfg: DictConfig, key: str) -> bool:
    try:
        OmegaConf.select(cfg, key)
    except OmegaConfBaseException:
        return True
    return False


def with_sources(message: str, cfg: DictConfig) -> str:
    """Return `message` with added lines that name the settings from which the keys in `message` take their values.

    Args:
        message: lines that begin with KEY: or KEY=VALUE:, and other lines.
        cfg: the composed config, whose interpolations are not resolved.
    """
    references = {
        key: found[1]
        for key, text in _texts(OmegaConf.to_container(cfg, resolve=False))
        if (found := REFERENCE.fullmatch(text))
    }
    lines = []
    for key in dict.fromkeys(KEY.findall(message)):
        chain = [key]
        while (source := references.get(chain[-1])) and source not in chain:  # references may form a circle
            chain.append(source)
        if any(source not in message for source in chain):
            lines.append(f"{key} takes its value from {', which takes it from '.join(chain[1:])}.")
    return "\n".join([message, *lines])
