"""Make Hydra accept settings that exist only in the jobs of a sweep, such as an experiment's own settings.

Hydra first composes a config without the options that the sweep varies, and would refuse settings that this config
lacks. Settings of Hydra's sweeper are applied to the jobs only. Therefore, this module moves such settings there. It
must not import torch.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf

from ganexp.arguments import Command
from ganexp.config.composition import compose_config
from ganexp.config.suggestions import CommandLine, list_settings
from ganexp.config.texts import is_declared, is_group, quote_exactly
from ganexp.errors import UserError

PARAMETERS = "hydra.sweeper.params"  # overrides that Hydra's sweeper applies to the jobs only
SETTING = re.compile(r"(?!hydra\.)\w+(?:\.\w+)+")
MAX_LISTED = 6  # jobs that a message names


def hand_settings_to_jobs(command: Command, folders: Sequence[Path]) -> Command:
    """Turn settings that exist only in a sweep's jobs into parameters of Hydra's sweeper, and return the new command.

    Args:
        command: a parsed command line; if it is not a sweep, it is returned unchanged.
        folders: the directories of config files: ganexp's own first, then the user's.
    """
    candidates = [override for override in command.arguments if SETTING.fullmatch(override.partition("=")[0])]
    if not command.is_sweep or not candidates:
        return command
    cfg = _compose_shared_options(command, folders)
    if cfg is None:  # another override is wrong: Hydra reports it
        return command
    of_jobs = [override for override in candidates if _deepest_parent(cfg, override.partition("=")[0])[1]]
    if not of_jobs:
        return command
    others = [override for override in command.arguments if override not in of_jobs]
    return replace(command, arguments=(*others, _as_parameters(of_jobs)))


def _compose_shared_options(command: Command, folders: Sequence[Path]) -> DictConfig | None:
    """Return the config with the options that all jobs share; None if it cannot be composed."""
    parser = OverridesParser.create()
    try:
        parsed = parser.parse_overrides(list(command.arguments))
        shared = [item.input_line for item in parsed if item.input_line and _is_shared_option(item, folders)]
        return compose_config(command.config_name, shared, folders)
    except HydraException:
        return None


def _is_shared_option(override: Override, folders: Sequence[Path]) -> bool:
    return not override.is_sweep_override() and is_group(override.key_or_group, folders)


def _as_parameters(overrides: Sequence[str]) -> str:
    """Return the override that hands `overrides` to Hydra's sweeper; `of_parameters` is the inverse function."""
    pairs = (override.partition("=") for override in overrides)
    quoted = (f"{key}:{quote_exactly(value)}" for key, _equals, value in pairs)  # ${…} must be resolved in the job
    return f"+{PARAMETERS}={{{','.join(quoted)}}}"


def of_parameters(override: str) -> list[str]:
    """Return the overrides that `_as_parameters` has put into `override`; an empty list for any other override."""
    if not override.startswith(f"+{PARAMETERS}={{"):
        return []
    values: Any = OverridesParser.create().parse_override(override).value()
    return [f"{key}={_unescaped(str(value))}" for key, value in values.items()]


def _unescaped(text: str) -> str:
    """Return a text without the backslashes with which `quote_exactly` has escaped ${…}."""
    return re.sub(r"(\\+)\$\{", lambda found: "\\" * (len(found[1]) // 2) + "${", text)


@dataclass(frozen=True)
class Job:
    """A job of a sweep, with another combination of options than the jobs before it.

    Attributes:
        label: this job's options of the groups that the sweep varies; empty if the sweep varies no groups.
        cfg: the config of this job, without the settings that are checked.
    """

    label: str
    cfg: DictConfig


def check_settings(config: DictConfig, overrides: Mapping[str, Override]) -> None:
    """Check that every job has the settings that the sweep overrides.

    Args:
        config: the config of the sweep, including Hydra's part.
        overrides: the overrides of the sweep and of its preset, each under its key.

    Raises:
        UserError: none of the jobs, or only some of them, have a setting that the sweep overrides.
        hydra.errors.HydraException: a job cannot be composed for another reason.
    """
    schema = OmegaConf.get_type(config)
    keys = [key for key in overrides if SETTING.fullmatch(key) and not (schema and is_declared(schema, key))]
    if not keys:
        return
    sources = config.hydra.runtime.config_sources
    folders = [Path(source.path) for source in sources if source.schema == "file"]
    jobs = list(_jobs(config, overrides, keys, folders))
    for key in keys:
        without = [job for job in jobs if _deepest_parent(job.cfg, key)[1]]
        if len(without) == len(jobs):
            parent, missing = _deepest_parent(jobs[0].cfg, key)
            node = OmegaConf.select(jobs[0].cfg, parent) if parent else jobs[0].cfg
            line = CommandLine([], folders, config.hydra.job.config_name)
            raise UserError(list_settings(f"{parent}.{missing}" if parent else missing, node, line))
        if without:
            labels = [job.label for job in without]
            more = f" and {len(labels) - MAX_LISTED} more" if len(labels) > MAX_LISTED else ""
            raise UserError(
                f"{key}: some jobs of the sweep do not have this setting: {', '.join(labels[:MAX_LISTED])}{more}.\n"
                f"Leave these jobs out of the sweep, or leave out {key}."
            )


def _jobs(
    config: DictConfig, overrides: Mapping[str, Override], keys: Sequence[str], folders: Sequence[Path]
) -> Iterator[Job]:
    """Yield one job for each combination of options, because the options decide which settings a job has."""
    others = {key: override for key, override in overrides.items() if key not in keys}
    if config.hydra.sweeper._target_.endswith(".BasicSweeper"):
        (jobs,) = BasicSweeper.split_arguments(list(others.values()), max_batch_size=None)
    else:  # the jobs of a search are not known yet
        jobs = [[item.input_line or "" for item in others.values() if not item.is_sweep_override()]]
    varied = [key for key, override in others.items() if override.is_sweep_override()]
    seen = set()
    for job in jobs:
        options = [line for line in job if is_group(line.partition("=")[0], folders)]
        label = " ".join(option for option in options if option.partition("=")[0] in varied)
        if label not in seen:
            seen.add(label)
            yield Job(label, GlobalHydra.instance().config_loader().load_sweep_config(config, job))


def _deepest_parent(cfg: DictConfig, key: str) -> tuple[str, str]:
    """Return the part of a dotted key that `cfg` has, and the first name that is missing ("" if no name is missing)."""
    node: Any = cfg
    names = key.split(".")
    for depth, name in enumerate(names):
        if isinstance(node, ListConfig):
            break
        if not isinstance(node, DictConfig) or name not in list(node):
            return ".".join(names[:depth]), name
        node = None if OmegaConf.is_missing(node, name) else node[name]
    return key, ""
