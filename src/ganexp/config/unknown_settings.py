"""Refuse settings that no schema declares, because Hydra accepts any key after a `+`.

This module must not import torch.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from difflib import get_close_matches

from omegaconf import DictConfig, OmegaConf

from ganexp.config.trainer_arguments import reason_against


def unknown_settings(cfg: DictConfig, key: str = "") -> Iterator[str]:
    """Yield a line for each unknown setting of a composed config, because a run would ignore such a setting.

    Settings of a node belong to its target, and are checked against the signature of the target.

    Args:
        cfg: a composed config, or the part of it below `key`. A config without a schema may have any settings.
        key: the dotted key of `cfg` in the whole config; empty for the root.
    """
    declared = OmegaConf.get_type(cfg)
    if not is_dataclass(declared):
        return
    names = [field.name for field in fields(declared)]
    for name in map(str, cfg):
        child_key = f"{key}.{name}" if key else name
        if name not in names:
            yield f"{child_key}: {reason_against(child_key) or _no_such_setting(child_key, names)}"
        elif is_dataclass(OmegaConf.get_type(cfg, name)):
            yield from unknown_settings(cfg[name], child_key)


def _no_such_setting(key: str, names: list[str]) -> str:
    """Return a message that there is no `key` among `names`, with a suggestion of the closest name."""
    prefix, _, name = key.rpartition(".")
    close = get_close_matches(name, names, n=1)
    hint = f"; did you mean {f'{prefix}.' if prefix else ''}{close[0]}?" if close else ""
    return f"there is no such setting{hint}"
