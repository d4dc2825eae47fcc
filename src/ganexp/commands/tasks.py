"""What each command does with the config that Hydra has composed for it. Must not import torch at import time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from hydra.types import RunMode
from omegaconf import DictConfig

from ganexp.config import schema
from ganexp.console import is_rank_zero
from ganexp.runs.naming import run_name
from ganexp.runs.run_directory import reserve, save_hydra_files


@dataclass(frozen=True)
class Task:
    """What Hydra has composed for a command: config, chosen groups, Hydra's settings, and the directory of a run."""

    cfg: DictConfig
    groups: dict[str, Any]
    hydra_config: HydraConf
    directory: Path


def output_directory(cfg: DictConfig, hydra_config: HydraConf) -> Path:
    """Return the directory of a run, reserved and with Hydra's files in it; of another command, Hydra's directory."""
    path = Path(hydra_config.runtime.output_dir)
    is_run = hydra_config.job.config_name == "train" and cfg.debug.keep_files and is_rank_zero()
    if not is_run or hydra_config.output_subdir is not None:  # the user lets Hydra write its files itself
        return path
    if hydra_config.mode == RunMode.RUN:
        path = reserve(path)
    save_hydra_files(path, cfg, hydra_config)
    return path


def _train(task: Task) -> float | None:
    from ganexp.commands.train import train

    cfg = schema.resolve(task.cfg)
    cfg.name = run_name(cfg.name, *(task.groups[group] for group in ("experiment", "data", "model", "loss")))
    return train(cfg, str(task.directory), task.groups, list(task.hydra_config.overrides.task))


def _evaluate(task: Task) -> None:
    from ganexp.commands.evaluate import evaluate

    evaluate(task.cfg)  # unresolved, because the metrics refer to the data of the run


def _evaluate_images(task: Task) -> None:
    from ganexp.commands.evaluate_images import evaluate_images

    evaluate_images(schema.resolve(task.cfg))


def _sample(task: Task) -> None:
    from ganexp.commands.sample import sample

    sample(schema.resolve(task.cfg))


def _describe(task: Task) -> dict[str, Any]:
    from ganexp.commands.describe import describe

    return describe(schema.resolve(task.cfg), task.groups)


TASKS: dict[str, Callable[[Task], Any]] = {
    "train": _train,
    "evaluate": _evaluate,
    "evaluate_images": _evaluate_images,
    "sample": _sample,
    "describe": _describe,
}
