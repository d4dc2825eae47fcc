"""Compose configs in code, with both Hydra 1.3 and 1.4. This module must not import torch."""

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

PACKAGE = Path(__file__).resolve().parents[1]
CONF = (
    PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parents[1] / "conf"
)  # the first path is used in a wheel, the second one in a checkout
IS_HYDRA_1_3 = hydra.__version__.startswith("1.3.")
VERSION_BASE = {"version_base": "1.3"} if IS_HYDRA_1_3 else {}  # Hydra 1.4 warns about this argument
PARTS = "base"  # directory of files that options of a group share; the files are not options themselves


@contextmanager
def any_target_allowed() -> Iterator[None]:
    """Prevent the warning of Hydra 1.4 about each `_target_` that is not in an allow list.

    Users may name their own classes, and `trust.py` checks the configs of other people. Without an allow list, Hydra
    refuses only targets that are known to be dangerous, as Hydra 1.3 does.
    """
    if IS_HYDRA_1_3:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\s*hydra\.utils\.instantiate\(\) resolved _target_")
        yield


def compose_config(
    config_name: str, overrides: Sequence[str], folders: Sequence[Path], with_hydra: bool = False
) -> DictConfig:
    """Return the composed, unresolved config.

    Args:
        config_name: the primary config, such as train.
        overrides: the overrides on the command line, without flags.
        folders: the directories of config files: ganexp's own first, then the user's.
        with_hydra: whether to keep Hydra's own part of the config.

    Raises:
        hydra.errors.HydraException: the config cannot be composed.
    """
    with composing(folders) as compose_one:
        return compose_one(config_name, overrides, with_hydra)


@contextmanager
def composing(folders: Sequence[Path]) -> Iterator[Callable[[str, Sequence[str], bool], DictConfig]]:
    """Yield a function that composes configs as `compose_config` does, but prepares Hydra only once for all configs.

    Args:
        folders: the directories of config files: ganexp's own first, then the user's.
    """
    search_path = ",".join(f"'file://{folder}'" for folder in folders[1:])

    def compose_one(config_name: str, overrides: Sequence[str], with_hydra: bool) -> DictConfig:
        own = f"hydra.searchpath=[{search_path}]"
        return compose(config_name, [own, *overrides], return_hydra_config=with_hydra)

    with initialize_config_dir(str(folders[0]), **VERSION_BASE):
        yield compose_one


def root_type(cfg: DictConfig) -> type:
    """Return the dataclass that a config was composed from; dict for a config without a schema."""
    return OmegaConf.get_type(cfg) or dict


def group_options(config_name: str, folders: Sequence[Path]) -> dict[str, list[str]]:
    """Return the sorted options of each config group that a primary config has.

    A directory of options in a group, such as experiment/sagan, is returned as a separate group.
    """
    options: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        for file in folder.rglob("*.yaml"):
            options[file.parent.relative_to(folder).as_posix()].add(file.stem)
    return {group: sorted(options[group]) for group in sorted(options) if _belongs_to(config_name, group.split("/"))}


def _belongs_to(config_name: str, group: Sequence[str]) -> bool:
    """Return whether a primary config has a group; `group` lists the parts of the group's name."""
    if group[0] in (".", "hydra") or group[-1] == PARTS or config_name == "sample":
        return False
    return config_name != "evaluate" or group[0] == "metrics"  # the evaluated run determines the other groups


def register_resolver(name: str, function: Callable[..., Any]) -> None:
    """Make `function` available in interpolations as ${name:…}, instead of any earlier function of this name."""
    new_name = OmegaConf.register_resolver  # OmegaConf 2.3 has another, deprecated function of this name
    register: Callable[..., None] = OmegaConf.register_new_resolver if IS_HYDRA_1_3 else new_name
    register(name, function, replace=True)
