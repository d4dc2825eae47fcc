"""The overrides that a sweep stores, and how they resume it later. Must not import torch at import time."""

import re
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from ganexp.console import short_path
from ganexp.errors import UserError
from ganexp.runs.sweep_directory import SweepDirectory

SWEEPER_OVERRIDE = re.compile(r"\+*hydra([./]sweeper[./=]|\.sweep\.subdir=)")  # decides what the jobs are
LAUNCHER_OVERRIDE = re.compile(r"\+*hydra[./]launcher[./=]")
CODE_IN_OVERRIDE = re.compile(r"(?:_target_|custom_search_space)\W*([\w.]*)")


def stored_overrides(config: DictConfig) -> list[str]:
    """Return the overrides that decide what the jobs of a sweep are: all but Hydra's own, and those of the sweeper."""
    overrides = config.hydra.overrides
    return [*overrides.task, *(override for override in overrides.hydra if SWEEPER_OVERRIDE.match(override))]


def resume_command(sweep: SweepDirectory, config: DictConfig) -> str:
    """Return the command that resumes the sweep with the same launcher and the same --config-dir."""
    launcher = [override for override in config.hydra.overrides.hydra if LAUNCHER_OVERRIDE.match(override)]
    sources = config.hydra.runtime.config_sources
    config_dirs = [f"--config-dir {source.path}" for source in sources if source.provider == "command-line"]
    return " ".join(["ganexp", f"sweep.resume={short_path(sweep.path)}", *launcher, *config_dirs])


def resumed_overrides(path: str, given: Sequence[str]) -> list[str]:
    """Return the overrides that resume the sweep in `path`: its own, its directory, and the launcher from `given`.

    Raises:
        UserError: `path` is no sweep, an override in `given` would change the jobs, or a stored one is not safe.
    """
    sweep = SweepDirectory(Path(path).expanduser())
    try:
        stored = [str(override) for override in sweep.read()["overrides"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"sweep.resume={path}: no sweep there, or its sweep.json is missing or cannot be read."
        ) from None
    for override in given:
        if not LAUNCHER_OVERRIDE.match(override):
            raise UserError(
                f"{override}: a resumed sweep keeps its own jobs. Only hydra/launcher=… may stand beside sweep.resume."
            )
    for override in stored:
        _refuse_unsafe(override, sweep.file)
    directory = str(sweep.path).replace("\\", "\\\\").replace("'", "\\'")
    return [*stored, f"hydra.sweep.dir='{directory}'", *given]


def _refuse_unsafe(override: str, file: Path) -> None:
    """Refuse a stored override that could run arbitrary code: the sweep may come from somebody else."""
    key = override.split("=")[0]
    if override.startswith("-") or ("hydra" in key and not SWEEPER_OVERRIDE.match(override)):
        raise UserError(f"{file}: {override} is not an override that a sweep stores.")
    if targets := CODE_IN_OVERRIDE.findall(override):
        from ganexp.config import trust

        if not all(trust.trusted(target) for target in targets):
            raise UserError(f"{file}: {override} is not part of ganexp. GANEXP_TRUST=PACKAGE allows your own package.")
