"""Explain why Hydra refuses an override in the defaults list of a config file. This module must not import torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from ganexp.config.hydra_messages import file_of, unmatched_group

GLOBAL = "# @package _global_"


def refused_in_file(error: Exception, folders: Sequence[Path], groups: Sequence[str]) -> str:
    """Return why a file may not choose an option of an existing group, and what to write; empty for other errors.

    Args:
        error: the error of Hydra.
        folders: the directories of config files, ganexp's own first.
        groups: the groups of the command.
    """
    file, group = file_of(error), unmatched_group(error).partition("@")[0]
    if not file or group not in groups:
        return ""
    place = f"{file}.yaml, override /{group}"
    own, above = _groups_above(file, folders)
    if group in above:
        key = f"{group}@_global_.{group.replace('/', '.')}"
        if own == "experiment":
            return f"{place}: an experiment may choose options of other groups only if its YAML begins with\n{GLOBAL}"
        return f"{place}: keys in this file are relative to its own group. Write:\noverride /{key}: OPTION"
    return (
        f"{place}: an option of {own} may choose options only of the groups above {own} in conf/run.yaml "
        f"({', '.join(above) or 'none'}).\nChoose the option of {group} on the command line instead: {group}=OPTION"
    )


def default_groups(folders: Sequence[Path]) -> dict[str, Any]:
    """Return the default option of each group of a run, or a list of default options, in the order of conf/run.yaml."""
    config = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(folders[0] / "run.yaml")))
    return {group: value for entry in config["defaults"] if isinstance(entry, dict) for group, value in entry.items()}


def _groups_above(file: str, folders: Sequence[Path]) -> tuple[str, list[str]]:
    """Return the group of a file such as `experiment/sagan/mine`, and the groups above it in conf/run.yaml."""
    groups = list(default_groups(folders))
    own = file
    while own not in groups and "/" in own:
        own = own.rpartition("/")[0]
    return own, groups[: groups.index(own)] if own in groups else groups
