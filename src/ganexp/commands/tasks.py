"""Run the commands with the configs that Hydra has composed for them.

This module must not import torch at import time.
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hydra.conf import HydraConf
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ganexp.commands.launching.launched import reason_against_devices
from ganexp.commands.sweeps.overrides import task_overrides
from ganexp.config import schema
from ganexp.config.overlays import check_overlay
from ganexp.config.units import choose_units
from ganexp.console import is_rank_zero
from ganexp.errors import UserError
from ganexp.runs.naming import run_name
from ganexp.runs.places import explain_place
from ganexp.runs.run_directory import remove_if_empty, reserve, save_hydra_files
from ganexp.runs.sweep_directory import SweepDirectory

NAMING_GROUPS = ("experiment", "data", "model", "loss")  # the options of these groups make up the name of a run


@dataclass(frozen=True)
class Task:
    """The input of a command: its composed config, the chosen options, Hydra's settings, and the run directory."""

    cfg: DictConfig
    groups: dict[str, Any]
    hydra_config: HydraConf
    directory: Path

    @property
    def base(self) -> str:
        """Return the directory from which relative paths start; "" means the current directory.

        In a job of a training sweep, paths start from the directory in which the sweep was first started. A resumed
        sweep thus trains all its jobs on the same images. If this directory no longer exists, for example because the
        project was moved, paths start from the current directory.
        """
        is_job = self.hydra_config.mode == RunMode.MULTIRUN and self.hydra_config.job.config_name == "train"
        sweep = SweepDirectory(self.hydra_config.sweep.dir) if is_job else None
        start = str(sweep.read()["directory"]) if sweep is not None and sweep.file.exists() else ""
        return start if Path(start).is_dir() else ""


def chosen_groups(hydra_config: HydraConf) -> dict[str, Any]:
    """Return the chosen option of each config group: a name, a list of names, or None.

    Raises:
        UserError: an override gives a list to a group that takes one option.
    """
    choices: Any = OmegaConf.to_container(hydra_config.runtime.choices)
    for override in task_overrides(hydra_config):
        group, _, value = override.partition("=")
        if group in NAMING_GROUPS and group not in choices:  # Hydra accepts a list, but does not record it
            options = value.strip("[]")
            raise UserError(f"{override}: choose one option. To run each of them: ganexp -m {group}={options}")
    return {group: option for group, option in choices.items() if not group.startswith("hydra")}


def output_directory(cfg: DictConfig, hydra_config: HydraConf) -> Path:
    """Return the output directory of a command.

    A training that keeps its files gets a run directory that no other run uses, with Hydra's files in it.

    Raises:
        UserError: the files cannot be written, for example because the disk is full.
    """
    path = Path(hydra_config.runtime.output_dir)
    is_run = hydra_config.job.config_name == "train" and cfg.debug.keep_files and is_rank_zero()
    if not is_run or hydra_config.output_subdir is not None:  # the user lets Hydra itself write these files
        return path
    if hydra_config.mode == RunMode.RUN:
        path = reserve(path)
    try:
        save_hydra_files(path, cfg, cast(DictConfig, hydra_config))  # HydraConf is the schema of this object
    except OSError as error:
        remove_if_empty(path)
        raise UserError(explain_place(error, {str(path.absolute()): "hydra.run.dir=DIRECTORY"}) or str(error)) from None
    return path


def _resolve(task: Task) -> DictConfig:
    """Return the resolved config of a task, with its length either in steps or in epochs."""
    cfg = task.cfg.copy()
    choose_units(cfg, task_overrides(task.hydra_config))
    return schema.resolve(cfg, directory=task.base)


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
        UserError: the jobs use several devices.
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
    from ganexp.commands.evaluation.images import evaluate_images

    evaluate_images(_resolve(task), task.cfg.metrics.scores)


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
