"""Tell whether a run is a job of the sweep that this process works on. This module must not import torch."""

from typing import cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ganexp.commands.sweeps.overrides import resume_command
from ganexp.console import shell_path
from ganexp.runs.run_directory import RunDirectory
from ganexp.runs.sweep_directory import SweepDirectory


def sweep_of(run: RunDirectory) -> SweepDirectory | None:
    """Return the sweep that this process works on if `run` is a job of this sweep; otherwise None."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    sweep = SweepDirectory(HydraConfig.get().sweep.dir)
    return sweep if run.path.is_relative_to(sweep.path) else None


def how_to_resume(run: RunDirectory) -> str:
    """Return the command that resumes a run or, if the run is a job of this process's sweep, resumes the sweep."""
    from ganexp.config.trust import in_front_of_command

    trust = in_front_of_command(cast(DictConfig, OmegaConf.load(run.config))) if run.config.exists() else ""
    sweep, config = sweep_of(run), cast(DictConfig, HydraConfig.instance().cfg)
    return trust + (resume_command(sweep, config) if sweep else f"ganexp resume {shell_path(run.path)}")
