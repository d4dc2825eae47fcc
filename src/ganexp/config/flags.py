"""Recognise overrides in the form of flags, such as --loss=hinge instead of loss=hinge. Must not import torch."""

from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf

from ganexp.config import schema
from ganexp.config.composition import CONF, compose_config
from ganexp.config.texts import is_group


def as_overrides(flags: Sequence[str], argv: Sequence[str], config_name: str) -> list[str]:
    """Return the correct override for each unknown flag; flags that name neither a setting nor a group are left out.

    Args:
        flags: the unknown flags, such as --loss=hinge or --loss.
        argv: the whole command line, because the value of a flag may be the next argument.
        config_name: the primary config with the known settings.
    """
    schema.register()
    cfg = compose_config(config_name, [], [CONF])
    overrides = []
    for flag in flags:
        key, equals, value = flag.lstrip("-").partition("=")
        if not flag.startswith("-") or not (is_group(key, [CONF]) or _has_setting(cfg, key)):
            continue
        following = argv[argv.index(flag) + 1 :][:1]
        if not equals and following and not following[0].startswith("-") and "=" not in following[0]:
            value = following[0]
        overrides.append(f"{key}={value or '…'}")
    return overrides


def _has_setting(cfg: DictConfig, key: str) -> bool:
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    return isinstance(node, DictConfig) and name in list(node)  # also a setting that has no value yet
