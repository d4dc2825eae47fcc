"""Quote strings on the command line, because Hydra reads 2024_01_01 as a number. Expand `~`, because Hydra does not.

The types in the schemas of ganexp and Hydra show which keys have string values. This module must not import torch.
"""

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from hydra.conf import HydraConf
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from ganexp.errors import UserError

SCHEMAS = {"evaluate_images": "images_schema"}  # for primary configs whose schema is not called CONFIG_schema
# Matches quoted texts, interpolations, and the characters between the values of a list or of a sweep.
SEPARATORS = re.compile(r"""('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\$\{[^}]*\}|[\[\](),])""")
QUOTES = ("'", '"')
NUMBER_SWEEP = re.compile(r"\s*(range|interval)\s*\(")
OF_SHELLS = re.compile(r"[$`!\\]")  # characters that shells interpret within double quotes


def keep_texts(overrides: Sequence[str], config_name: str, folders: Sequence[Path]) -> list[str]:
    """Return the overrides with quotes around strings that Hydra would read as other types, and with `~` expanded.

    Args:
        overrides: the overrides on the command line, without flags.
        config_name: the primary config, such as train.
        folders: the directories of config files. They show which keys are groups; the values of groups are strings.
    """
    schema = _schema(config_name)
    return [
        keep_text(override) if holds_text(schema, key := _key(override)) or is_group(key, folders) else override
        for override in overrides
    ]


def keep_text(override: str) -> str:
    """Return the override of a key that has string values, with quotes around each value that Hydra would change."""
    key, equals, value = override.partition("=")
    if not equals or NUMBER_SWEEP.match(value):
        return override
    parts = SEPARATORS.split(value)
    ends = [*parts[1:], ""]
    quoted = f"{key}={''.join(_keep_part(part, end) for part, end in zip(parts, ends, strict=True))}"
    return quoted if parse(quoted) is not None else override


def restore_texts(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Set the string values of a job again, because a hyperparameter search passes them to Hydra without quotes.

    Args:
        cfg: the composed config of the job.
        overrides: the job's own overrides, as Hydra has read them.
    """
    schema = OmegaConf.get_type(cfg)
    for override in overrides:
        if schema is None or not holds_text(schema, _key(override)):
            continue
        kept = parse(keep_text(override))
        if kept is not None and kept.input_line != override:
            OmegaConf.update(cfg, kept.key_or_group, kept.value())


def holds_text(schema: type, key: str) -> bool:
    """Return whether the value at a dotted key is a string or a list of strings in `schema` or in Hydra's schema."""
    return _is_text(_annotation(schema, key))


def is_declared(schema: type, key: str) -> bool:
    """Return whether `schema` declares a type, other than `Any`, for the value at a dotted key."""
    return _annotation(schema, key) not in (None, Any)


def may_hold_text(config_name: str, key: str) -> bool:
    """Return whether a key of a primary config may have a string value; true also if the key has no declared type."""
    annotation = _annotation(_schema(config_name), key)
    return annotation in (None, Any) or _is_text(annotation)


def holds_list(config_name: str, key: str) -> bool:
    """Return whether the schema of a primary config allows a list as the value of a key."""
    annotation = _annotation(_schema(config_name), key)
    return any(get_origin(member) is list for member in (annotation, *get_args(annotation)))


def _annotation(schema: type, key: str) -> Any:
    """Return the type of the value at a dotted key; None if no schema declares a type, as in a node with `_target_`."""
    first, _, rest = key.partition(".")
    annotation = HydraConf if first == "hydra" else get_type_hints(schema).get(first)
    if not rest:
        return annotation
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    nested = next((member for member in (annotation, *get_args(annotation)) if is_dataclass(member)), None)
    return _annotation(nested, rest) if isinstance(nested, type) else None


def is_group(key: str, folders: Sequence[Path]) -> bool:
    """Return whether `key` is a config group in one of the directories of config files."""
    return "." not in key and bool(key) and any((folder / key.split("@")[0]).is_dir() for folder in folders)


def without_plus(overrides: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """Return the overrides without the plus sign before a group of ganexp: loss=hinge instead of +loss=hinge.

    The plus sign is wrong there, because the config already has the groups of ganexp.

    Args:
        overrides: the overrides, without flags.
        folders: the directories of config files: ganexp's own first, then the user's.
    """
    has_plus = [override.startswith("+") and is_group(_group(override), folders[:1]) for override in overrides]
    return [override.lstrip("+") if has else override for override, has in zip(overrides, has_plus, strict=True)]


def _group(override: str) -> str:
    return override.partition("=")[0].lstrip("+")


def check_choices(overrides: Sequence[str], folders: Sequence[Path]) -> None:
    """Check that each list of options for a group contains only options, because Hydra does not check this.

    Args:
        overrides: the overrides, without flags.
        folders: the directories of config files.

    Raises:
        UserError: an item of a list is a list, a mapping or null.
    """
    for override in overrides:
        group = _group(override)
        if not is_group(group, folders) or (read := parse(override)) is None:
            continue
        value = read.value()
        for choice in value.list if isinstance(value, ChoiceSweep) else [value]:
            if isinstance(choice, list) and any(item is None or isinstance(item, (list, dict)) for item in choice):
                raise UserError(f"{override}: must be an option, or a list of options such as {group}=[a,b]")


def parse(override: str) -> Override | None:
    """Return the override as Hydra parses it; None if Hydra cannot parse it."""
    try:
        return OverridesParser.create().parse_override(override)
    except HydraException:
        return None


def quoted_form(override: str, config_name: str) -> str:
    """Return what to type in a shell for an override whose strings need quotes.

    Args:
        override: an override. For data.path=archive (1), the result is "data.path='archive (1)'".
        config_name: the primary config.

    Returns:
        The text to type; empty if the key has no string values, or if quotes do not help.
    """
    key, _, value = override.partition("=")
    name = key.lstrip("+")
    if not may_hold_text(config_name, name):
        return ""
    is_list = value[:1] == "[" and holds_list(config_name, name)
    quoted = f"{key}={_quote_each(value) if is_list else quote_exactly(value)}"
    if parse(quoted) is None:
        return ""
    return shlex.quote(quoted) if OF_SHELLS.search(value) else '"' + quoted.replace('"', '\\"') + '"'


def _quote_each(values: str) -> str:
    """Return a list with quotes around each of its values."""
    items = [item.strip() for item in values.strip("[]").split(",")]
    return f"[{','.join(item if item[:1] in QUOTES else quote_exactly(item) for item in items)}]"


def _schema(config_name: str) -> type:
    node = ConfigStore.instance().load(f"{SCHEMAS.get(config_name, f'{config_name}_schema')}.yaml").node
    schema = OmegaConf.get_type(node)
    assert schema is not None  # every primary config has a schema
    return schema


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _is_text(annotation: Any) -> bool:
    """Return whether an annotation allows only strings, lists of strings, and null."""
    members = get_args(annotation) or (annotation,)
    return all(member in (str, NoneType) or (get_origin(member) is list and _is_text(member)) for member in members)


def _keep_part(part: str, following: str) -> str:
    """Return one part of an override's value with `~` expanded, and in quotes if Hydra would not read it as a string.

    Args:
        part: a string, a separator, or the name or an argument of a Hydra function.
        following: the separator after the part.
    """
    text = part.strip()
    if text[:1] in QUOTES:
        read = parse(f"text={text}")
        content = str(read.value()) if read is not None else ""
        path = expand_home(content)
        return part if path == content else quote(path)
    if not text or following == "(" or "=" in text:
        return part
    if (path := expand_home(text)) != text:
        return part.replace(text, quote(path))
    return part.replace(text, quote(text)) if _looks_like_a_number(text) else part


def expand_home(text: str) -> str:
    """Return a path with `~` replaced by the home directory; other strings and `~` of unknown users do not change."""
    is_path = text == "~" or (text.startswith("~") and "/" in text)
    return os.path.expanduser(text) if is_path else text


def _looks_like_a_number(text: str) -> bool:
    read = parse(f"text={text}")
    return read is not None and isinstance(read.value(), (bool, int, float))


def quote_exactly(text: str) -> str:
    """Return a string in quotes, so that neither Hydra nor OmegaConf changes any of its characters."""
    return quote(re.sub(r"(\\*)\$\{", r"\1\1\\${", text))


def quote(text: str) -> str:
    """Return a string in quotes, so that Hydra does not change any of its characters; ${…} remains an interpolation."""
    is_easier = bool(OF_SHELLS.search(text)) or ("'" in text and '"' not in text)  # double quotes are easier in a shell
    return QuotedString(text, Quote.double if is_easier else Quote.single).with_quotes()
