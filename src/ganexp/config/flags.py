"""Recognise overrides in the form of flags, such as --loss=hinge instead of loss=hinge.

This module must not import torch.
"""

from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf

from ganexp.config import schema
from ganexp.config.composition import CONF, compose_config
from ganexp.config.suggestions import SYNONYMS, settings_called
from ganexp.config.texts import is_group
from ganexp.errors import MAX_SUGGESTIONS


def as_overrides(flags: Sequence[str], argv: Sequence[str], config_name: str) -> list[str]:
    """Return the correct override for each unknown flag; flags that name neither a setting nor a group are left out.

    If a flag such as --lr is the last part of several keys, the overrides of these keys are separated by `or`.

    Args:
        flags: the unknown flags, such as --loss=hinge or --loss.
        argv: the whole command line, because the value of a flag may be the next argument.
        config_name: the primary config, such as train. The known settings are the settings of this config.
    """
    schema.register()
    cfg = compose_config(config_name, [], [CONF])
    overrides = []
    for flag in flags:
        name, equals, value = flag.lstrip("-").partition("=")
        keys = _keys_called(name, cfg) if flag.startswith("-") else []
        following = argv[argv.index(flag) + 1 :][:1]
        if not equals and following and not following[0].startswith("-") and "=" not in following[0]:
            value = following[0]
        if keys:
            overrides.append(" or ".join(f"{key}={value or '…'}" for key in keys))
    return overrides


def _keys_called(name: str, cfg: DictConfig) -> list[str]:
    """Return `name`, a flag without dashes, if it is a group or a key.

    Otherwise, return at most `MAX_SUGGESTIONS` dotted keys that end in `name`, or in its synonym if `SYNONYMS` has one.
    """
    if is_group(name, [CONF]) or _has_setting(cfg, name):
        return [name]
    name = name.replace("-", "_")
    return list(settings_called(SYNONYMS.get(name, name), cfg))[:MAX_SUGGESTIONS]


def _has_setting(cfg: DictConfig, key: str) -> bool:
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    return isinstance(node, DictConfig) and name in list(node)  # also a setting that has no value yet
