"""Choose the overrides that ganexp adds to a sweep, stores in sweep.json, and uses to resume the sweep.

This module must not import torch at import time.
"""

import re
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from ganexp.arguments import Command
from ganexp.commands.sweeps.settings import of_parameters
from ganexp.commands.sweeps.trust import SWEEPER_OVERRIDE, refuse_unsafe
from ganexp.config.texts import quote_exactly
from ganexp.console import short_path
from ganexp.errors import UserError
from ganexp.runs.links import refuse_links
from ganexp.runs.sweep_directory import SweepDirectory

NAMING = "hydra.job.config.override_dirname.exclude_keys"
SWEEP_DIRECTORY = "hydra.sweep.dir"
SEED = "hydra.sweeper.sampler.seed"
LAUNCHER_OVERRIDE = re.compile(r"\+*hydra[./]launcher[./=]")
SEARCH_OVERRIDE = re.compile(r"\+*hydra/sweeper=optuna")
# Settings of Hydra that change the jobs, and are not stored because a stranger's sweep.json may not set them.
NOT_STORED = {
    "env_set": "Set the environment variable in front of the command instead: NAME=VALUE ganexp …",
    "searchpath": "Name the directory of your config files instead: --config-dir DIRECTORY",
}
SAMPLER_WITHOUT_SEED = re.compile(r"\+*hydra/sweeper/sampler=(grid|motpe)")


@contextmanager
def added_overrides(command: Command) -> Iterator[list[str]]:
    """Yield the overrides that a sweep needs in addition to those of its command line; [] for a single run.

    They are added to the command line, because Hydra's settings cannot be changed after a sweep has started.

    Raises:
        hydra.errors.OverrideParseException: an override cannot be parsed.
    """
    keys = {_key(override) for override in command.arguments}
    if not command.is_sweep:
        yield []
    elif command.config_name == "train":
        yield [
            *([] if NAMING in keys else [_exclude_shared_keys(command.arguments)]),
            *([f"{SEED}=0"] if _needs_seed(command.arguments) else []),
        ]
    elif SWEEP_DIRECTORY in keys or any(LAUNCHER_OVERRIDE.match(override) for override in command.arguments):
        yield []  # jobs may run on other machines, which have no access to a temporary directory
    else:
        with tempfile.TemporaryDirectory(prefix="ganexp-") as directory:  # Hydra writes a file there
            yield [f"{SWEEP_DIRECTORY}={quote_exactly(directory)}"]


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _exclude_shared_keys(overrides: Sequence[str]) -> str:
    """Return the override of `NAMING` that keeps the overrides shared by all jobs out of the directory names."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    shared = [override.key_or_group for override in parsed if not override.is_sweep_override()]
    quoted = [quote_exactly(key) for key in shared if not key.startswith("hydra")]
    return f"{NAMING}=[{','.join(quoted)}]"


def _needs_seed(overrides: Sequence[str]) -> bool:
    """Return whether a search needs a seed for its sampler, so that the resumed search has the same jobs."""
    has_sampler_with_seed = any(SEARCH_OVERRIDE.fullmatch(override) for override in overrides) and not any(
        SAMPLER_WITHOUT_SEED.fullmatch(override) for override in overrides
    )
    return has_sampler_with_seed and SEED not in [_key(override) for override in overrides]


def task_overrides(hydra_config: Any) -> list[str]:
    """Return the unchanged overrides of a run or sweep, without those of Hydra's own settings.

    Args:
        hydra_config: Hydra's settings. Their list of overrides is read as a whole, because reading single items would
            resolve ${…} in the overrides.
    """
    overrides: Any = OmegaConf.to_container(hydra_config.overrides, resolve=False)
    return [str(override) for override in overrides["task"]]


def hydra_overrides(config: DictConfig) -> list[str]:
    """Return the unchanged overrides of Hydra's own settings in the config of a sweep."""
    overrides: Any = OmegaConf.to_container(config.hydra.overrides, resolve=False)
    return [str(override) for override in overrides["hydra"]]


def stored_overrides(config: DictConfig) -> list[str]:
    """Return the overrides that determine the jobs of a sweep: those of the config and of Hydra's sweeper.

    Raises:
        UserError: an override in NOT_STORED changes the jobs.
    """
    for override in hydra_overrides(config):
        for name, fix in NOT_STORED.items():
            if re.match(rf"\+*hydra(\.job)?(\.{name}\b|=.*\b{name}\b)", override):
                reason = "a resumed sweep would lose this setting, and its jobs would change"
                raise UserError(f"{override}: {reason}. {fix}")
    of_sweeper = [override for override in hydra_overrides(config) if SWEEPER_OVERRIDE.match(override)]
    of_jobs = [own for override in of_sweeper for own in of_parameters(override)]
    others = [override for override in of_sweeper if not of_parameters(override)]
    return [*task_overrides(config.hydra), *of_jobs, *others]


def resume_command(sweep: SweepDirectory, config: DictConfig) -> str:
    """Return the command, for a shell, that resumes the sweep with the same launcher and the same --config-dir."""
    launcher = [override for override in hydra_overrides(config) if LAUNCHER_OVERRIDE.match(override)]
    sources = config.hydra.runtime.config_sources
    own = [word for source in sources if source.provider == "command-line" for word in ("--config-dir", source.path)]
    return shlex.join(["ganexp", "resume", short_path(sweep.path), *launcher, *own])


def resumed_overrides(path: str, given: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """Return the overrides that resume the sweep in `path`: the stored overrides, the sweep directory, and `given`.

    Args:
        path: the directory of the sweep.
        given: the overrides on the command line.
        folders: the directories of config files: ganexp's own first, then the user's.

    Raises:
        UserError: `path` is not a sweep or has links to other places, an override in `given` would change the jobs, or
            a stored override is not safe.
    """
    sweep = SweepDirectory(Path(path).expanduser())
    refuse_links(sweep.path)
    try:
        stored = [str(override) for override in sweep.read()["overrides"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"sweep.resume={path}: this is not a sweep directory, or its sweep.json cannot be read."
        ) from None
    for override in given:
        if not LAUNCHER_OVERRIDE.match(override):
            raise UserError(
                f"{override}: a resumed sweep keeps its own jobs. Only its launcher can be changed: "
                "hydra/launcher=… or hydra.launcher.KEY=…"
            )
    for override in stored:
        refuse_unsafe(override, sweep.file, folders)
    return [*stored, f"{SWEEP_DIRECTORY}={quote_exactly(str(sweep.path))}", *given]
