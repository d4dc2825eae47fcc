"""Run the commands with the configs that Hydra has composed for them. Must not import torch at import time."""

import gc
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganexp.commands.launched import reason_against_devices
from ganexp.commands.sweep_overrides import task_overrides
from ganexp.config import schema
from ganexp.config.overlays import check_overlay
from ganexp.config.paths import absolute, path_keys
from ganexp.config.units import choose_units
from ganexp.console import is_rank_zero
from ganexp.errors import UserError
from ganexp.runs.naming import run_name
from ganexp.runs.places import check_writable, explain_place
from ganexp.runs.run_directory import remove_if_empty, reserve, save_hydra_files

NAMING_GROUPS = ("experiment", "data", "model", "loss")  # whose options make the name of a run


@dataclass(frozen=True)
class Task:
    """The input of a command: its composed config, the chosen groups, Hydra's settings, and the run directory."""

    cfg: DictConfig
    groups: dict[str, Any]
    hydra_config: HydraConf
    directory: Path


def chosen_groups(hydra_config: HydraConf) -> dict[str, Any]:
    """Return the chosen option of each config group: a name, a list of names, or None.

    Raises:
        UserError: an override gives a list to a group that takes one option.
    """
    choices: Any = OmegaConf.to_container(hydra_config.runtime.choices)
    for override in task_overrides(hydra_config):
        group, _, value = override.partition("=")
        if group in NAMING_GROUPS and group not in choices:  # Hydra composes a list, and does not record it
            options = value.strip("[]")
            raise UserError(f"{override}: choose one option. To run each of them: ganexp -m {group}={options}")
    return {group: option for group, option in choices.items() if not group.startswith("hydra")}


def output_directory(cfg: DictConfig, hydra_config: HydraConf) -> Path:
    """Return the reserved run directory with Hydra's files; for other commands, return Hydra's output directory.

    Raises:
        UserError: the files cannot be written, for example because the disk is full.
    """
    path = Path(hydra_config.runtime.output_dir)
    is_run = hydra_config.job.config_name == "train" and cfg.debug.keep_files and is_rank_zero()
    if not is_run or hydra_config.output_subdir is not None:  # the user lets Hydra write its files itself
        return path
    if hydra_config.mode == RunMode.RUN:
        path = reserve(path)
    try:
        save_hydra_files(path, cfg, hydra_config)
    except OSError as error:
        remove_if_empty(path)
        raise UserError(explain_place(error, {str(path.absolute()): "hydra.run.dir=DIRECTORY"}) or str(error)) from None
    return path


def places(task: Task) -> dict[str, str]:
    """Return the settings that change the directories and files of a task, by absolute path."""
    is_job = task.hydra_config.mode == RunMode.MULTIRUN
    found = {str(task.directory.absolute()): f"hydra.{'sweep' if is_job else 'run'}.dir=DIRECTORY"}
    texts = OmegaConf.to_container(task.cfg, resolve=False)
    for key in path_keys(OmegaConf.get_type(task.cfg)):
        if (path := _path_at(task.cfg, key)) is not None:
            found[path] = _how_to_move(key, _at(texts, key))
    return found


def _path_at(cfg: DictConfig, key: str) -> str | None:
    """Return the absolute path at a key; None if it has no value."""
    try:
        value = OmegaConf.select(cfg, key)
    except OmegaConfBaseException:
        return None
    return absolute(value) if value else None


def _at(texts: Any, key: str) -> Any:
    for name in key.split("."):
        texts = texts[name] if isinstance(texts, dict) and name in texts else None
    return texts


def _how_to_move(key: str, text: Any) -> str:
    """Return how to change a path: by its key, by an environment variable, or by the home directory.

    Args:
        key: the dotted key of the path in the config.
        text: the unresolved value of the path.
    """
    variable = re.search(r"oc\.env:(\w+)", str(text))
    by_variable = f", or the environment variable {variable[1]}" if variable else ""
    is_home = "~" in str(text) and not (variable and os.environ.get(variable[1]))
    home = f" (now in the home directory, HOME={os.environ.get('HOME', '')})" if is_home else ""
    return f"{key}=PATH{by_variable}{home}"


def given_places(argv: Sequence[str]) -> dict[str, str]:
    """Return the settings on a command line that have paths, and the setting for new runs, by absolute path."""
    pairs = [argument.split("=", 1) for argument in argv if "=" in argument]
    given = {absolute(value.strip("'\"")): f"{key}=PATH" for key, value in pairs}
    new_runs = "hydra.run.dir=DIRECTORY, or hydra.sweep.dir=DIRECTORY for a sweep; or another working directory"
    return {absolute("outputs"): new_runs} | given


def check_places(task: Task) -> None:
    """Check that a task can write to its output directories, before it starts.

    An existing cache may be read-only, because it may already have all files.

    Raises:
        OSError: a directory cannot be written.
    """
    output = _path_at(task.cfg, "output")
    if output is not None:
        check_writable(output)
    is_scored = OmegaConf.select(task.cfg, "metrics.extractor") is not None
    cache = _path_at(task.cfg, "metrics.cache")
    if (
        is_scored
        and cache is not None
        and not os.path.exists(cache)
        and task.hydra_config.job.config_name != "describe"
    ):
        check_writable(cache)


def _resolve(task: Task) -> DictConfig:
    """Return the resolved config of a training, with either steps or epochs."""
    cfg = task.cfg.copy()
    choose_units(cfg, task_overrides(task.hydra_config))
    return schema.resolve(cfg)


def _train(task: Task) -> float | None:
    from ganexp.commands.train import train

    cfg = _resolve(task)
    check_overlay(task.cfg, task.groups)
    _check_devices(cfg, task.hydra_config)
    cfg.name = run_name(cfg.name, *(task.groups[group] for group in NAMING_GROUPS))
    try:
        return train(cfg, str(task.directory), task.groups, task_overrides(task.hydra_config))
    finally:
        if task.hydra_config.mode == RunMode.MULTIRUN:
            _free_memory()


def _check_devices(cfg: DictConfig, hydra_config: HydraConf) -> None:
    """Check that the jobs of a sweep use one device each.

    Raises:
        UserError: they use several.
    """
    reason = reason_against_devices(cfg.trainer)
    if hydra_config.mode == RunMode.MULTIRUN and reason:
        raise UserError(reason)


def _free_memory() -> None:
    """Free the networks of a job, which refer to each other, before the next job of a sweep starts."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()  # nothing happens if no GPU was used


def _evaluate(task: Task) -> None:
    from ganexp.commands.evaluate import evaluate

    evaluate(task.cfg)  # unresolved, because the metrics refer to the data of the run


def _evaluate_images(task: Task) -> None:
    from ganexp.commands.evaluate_images import evaluate_images

    evaluate_images(_resolve(task))


def _sample(task: Task) -> None:
    from ganexp.commands.sample import sample

    sample(schema.resolve(task.cfg))


def _describe(task: Task) -> dict[str, Any]:
    from ganexp.commands.describe import describe

    cfg = _resolve(task)
    check_overlay(task.cfg, task.groups)
    return describe(cfg, task.groups)


TASKS: dict[str, Callable[[Task], Any]] = {
    "train": _train,
    "evaluate": _evaluate,
    "evaluate_images": _evaluate_images,
    "sample": _sample,
    "describe": _describe,
}
