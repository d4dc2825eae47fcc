"""Check the jobs of a sweep, and that each job has a directory of its own.

This module must not import torch at import time.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from ganexp.commands.sweeps.overrides import SWEEP_DIRECTORY, task_overrides
from ganexp.commands.sweeps.search_checks import check_objective, is_search
from ganexp.commands.sweeps.settings import check_settings
from ganexp.config.paths import absolute
from ganexp.config.texts import expand_home, quote_exactly
from ganexp.console import short_path
from ganexp.errors import UserError
from ganexp.report.settings import is_setting
from ganexp.runs.run_directory import HYDRA_DIRECTORY, RunDirectory

MAX_LISTED = 6  # settings that a message names
# Parts of Hydra's own config that differ between a sweep and each of its jobs.
OF_EACH_JOB = ("mode", "overrides", "runtime", "job.num", "job.id", "job.override_dirname")


def check_jobs(config: DictConfig) -> bool:
    """Check the jobs of a sweep before the first job starts, but do not report wrong overrides.

    Hydra itself reports wrong overrides, because it composes all jobs before it starts the first job.

    Args:
        config: the config of the sweep, including Hydra's part.

    Returns:
        False if a wrong override was found, which Hydra is going to report; otherwise True.

    Raises:
        UserError: a job lacks a setting, a swept option changes settings of Hydra, two jobs have the same directory, a
            job's directory is outside of the sweep directory, or the scores of a search cannot be compared.
    """
    try:
        overrides = _sweep_overrides(config)
        check_settings(config, overrides)
        jobs = dict(_jobs_of_each_option(config, overrides))
        _check_swept_options(config, jobs)
        if is_search(config) and config.hydra.job.config_name == "train":
            first = _compose(config, [*filter(None, map(_first_value, overrides.values()))])
            check_objective([first, *jobs.values()])
        if config.hydra.sweeper._target_.endswith(".BasicSweeper"):  # the jobs of a search are not known yet
            _check_places(config, overrides)
    except HydraException:
        return False
    return True


def _sweep_overrides(config: DictConfig) -> dict[str, Override]:
    """Return the overrides of a sweep under their keys. The command line takes precedence over a preset."""
    presets = OmegaConf.select(config, "hydra.sweeper.params") or {}
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    lines = [*(f"{key}={value}" for key, value in presets.items()), *task_overrides(config.hydra)]
    return {override.get_key_element(): override for override in parser.parse_overrides(lines)}


def _jobs_of_each_option(config: DictConfig, overrides: Mapping[str, Override]) -> Iterator[tuple[str, DictConfig]]:
    """Yield each swept option of a group, and each swept value of metrics.… and debug.…, with the config of one job."""
    folders = [Path(source.path) for source in config.hydra.runtime.config_sources]
    for key, override in overrides.items():
        decides = key.startswith(("metrics.", "debug.")) or any((folder / key).is_dir() for folder in folders)
        if not override.is_discrete_sweep() or not decides:
            continue
        others = [_first_value(other) for name, other in overrides.items() if name != key]
        for value in override.sweep_string_iterator():
            yield f"{key}={value}", _compose(config, [*filter(None, others), f"{key}={value}"])


def _check_swept_options(config: DictConfig, jobs: Mapping[str, DictConfig]) -> None:
    """Refuse options of a swept group that change settings of Hydra, because these settings cannot vary in a sweep.

    Raises:
        UserError: an option changes settings of Hydra.
    """
    whole_sweep = _hydra_settings(config)
    for option, job in jobs.items():
        if changed := differing_keys(whole_sweep, _hydra_settings(job)):
            raise UserError(
                f"{option} sets {_listed([f'hydra.{name}' for name in changed])}, but is one of the "
                "options that this sweep compares.\nSettings of Hydra apply to a sweep as a whole, so those of one "
                "option would be ignored. Remove them from the option's config file, and give them on the command "
                "line: a grid as KEY=VALUE,VALUE, and other settings as hydra.KEY=VALUE"
            )


def _first_value(override: Override) -> str | None:
    """Return the override with only the first of its values; None if it sweeps over a range of real numbers."""
    key = override.get_key_element()
    if not override.is_sweep_override():
        return override.input_line
    if override.is_discrete_sweep():
        return next((f"{key}={value}" for value in override.sweep_string_iterator()), None)
    return None


def _compose(config: DictConfig, overrides: Sequence[str]) -> DictConfig:
    return GlobalHydra.instance().config_loader().load_sweep_config(config, list(overrides))


def _hydra_settings(config: DictConfig) -> dict[str, Any]:
    settings = dict(_leaves(OmegaConf.to_container(config.hydra, resolve=False)))
    return {key: value for key, value in settings.items() if not _belongs_to(key, OF_EACH_JOB)}


def _belongs_to(key: str, parents: Sequence[str]) -> bool:
    return any(key == parent or key.startswith(f"{parent}.") for parent in parents)


def _check_places(config: DictConfig, overrides: Mapping[str, Override]) -> None:
    """Refuse a sweep if two jobs write to the same directory, or if a job writes outside of the sweep directory.

    Raises:
        UserError: two jobs write to the same directory, or a job's directory is outside of the sweep directory.
    """
    command = config.hydra.job.config_name
    subdirectory = str(dict(_leaves(OmegaConf.to_container(config.hydra.sweep, resolve=False)))["subdir"])
    if command == "train" and not stays_below(subdirectory):
        raise UserError(
            f"hydra.sweep.subdir={subdirectory} leaves the directory of the sweep: use a relative path without .."
        )
    has_numbers = "job.num" in subdirectory or "job.id" in subdirectory
    if command not in ("train", "evaluate", "evaluate_images") or (command == "train" and has_numbers):
        return
    taken: dict[str, Sequence[str]] = {}
    root = Path(_sweep_directory(config)) if command == "train" else None
    (jobs,) = BasicSweeper.split_arguments(list(overrides.values()), max_batch_size=None)
    for number, job in enumerate(jobs):
        composed = _compose(config, job)
        place = str(root / _subdirectory(composed, number)) if root else _scores_place(composed)
        if place and place in taken:
            first, second = (
                " ".join(set(one) - set(other)) for one, other in ((taken[place], job), (job, taken[place]))
            )
            given, fix = (
                (f"hydra.sweep.subdir={subdirectory}", "Leave it out, or use ${KEY} in it for every key")
                if command == "train"
                else (f"output={composed.output or 'null'}", "Give output=DIRECTORY, with ${KEY} in it for every key")
            )
            raise UserError(
                f"{given} gives the jobs {first} and {second} the same directory, {short_path(place)}.\n"
                f"{fix} that the sweep varies."
            )
        taken[place] = job


def stays_below(path: str) -> bool:
    """Return whether `path`, a path relative to a directory, stays within this directory."""
    return not Path(path).is_absolute() and ".." not in Path(path).parts


def _scores_place(job: DictConfig) -> str:
    """Return where an evaluation writes its scores; "" if it writes no scores.

    Scores of different extractors have different file names, so they may be in the same directory.
    """
    directory = job.output or OmegaConf.select(job, "ckpt")
    extractor = OmegaConf.select(job, "metrics.extractor._target_")
    return f"{absolute(directory)}{f' ({extractor})' if extractor else ''}" if directory else ""


def _subdirectory(job: DictConfig, number: int) -> str:
    """Return the path of a job below the directory of the sweep, as Hydra computes it."""
    with open_dict(job):
        job.hydra.job.num = job.hydra.job.id = number
    return _resolved(job, "subdir")


def fix_sweep_directory(config: DictConfig) -> None:
    """Replace the sweep directory by its resolved path, for the sweep itself and, with an override, for each job.

    Otherwise, Hydra would resolve the path anew for each job, whose config may have another name or seed.

    Raises:
        UserError: as in `_sweep_directory`.
    """
    override = f"{SWEEP_DIRECTORY}={quote_exactly(_sweep_directory(config))}"
    config.hydra.sweep.dir = OverridesParser.create().parse_override(override).value()
    config.hydra.overrides.hydra.append(override)


def _sweep_directory(config: DictConfig) -> str:
    """Return the absolute path of the sweep's directory, without .., resolved from the settings that its jobs share.

    Raises:
        UserError: the path cannot be resolved, for example because it uses a setting that only the jobs have.
    """
    try:
        return os.path.abspath(expand_home(_resolved(config, "dir")))  # the paths of the jobs have no .. either
    except OmegaConfBaseException as error:
        unresolved: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"hydra.sweep.dir={unresolved['dir']}: {reason}\n"
            "All jobs are in this directory, so its path may use only settings that the whole sweep has. Settings of a "
            "job may be used in hydra.sweep.subdir."
        ) from None


def _resolved(config: DictConfig, name: str) -> str:
    """Return hydra.sweep.dir or hydra.sweep.subdir, where ${hydra:…} refers to the given config."""
    hydra_config: Any = HydraConfig.instance()
    before, hydra_config.cfg = hydra_config.cfg, config
    try:
        return str(config.hydra.sweep[name])
    finally:
        hydra_config.cfg = before


def check_same_job(run: RunDirectory, composed: DictConfig, overrides: Sequence[str]) -> None:
    """Check that a run directory belongs to the given job.

    The comparison uses the composed config in `.hydra`, because config.yaml also has values that were determined during
    the run. If the run directory has no `.hydra`, the overrides are compared.

    Args:
        run: the directory of the job, with a run that was started earlier.
        composed: the unresolved config of the job.
        overrides: the job's own overrides.

    Raises:
        UserError: the directory belongs to another job.
    """
    file = run.path / HYDRA_DIRECTORY / "config.yaml"
    if file.exists():
        stored, own = (dict(_leaves(OmegaConf.to_container(cfg))) for cfg in (OmegaConf.load(file), composed))
        differing = [key for key in differing_keys(stored, own) if changes_the_result(key)]
    else:
        differing = sorted(set(run.metadata().get("overrides", overrides)) ^ set(overrides))
    if differing:
        raise UserError(
            f"{short_path(run.path)} has a run with other settings: {_listed(differing)}.\n"
            f"The run was not changed, and this job was not started: {' '.join(overrides)}\n"
            "Choose another hydra.sweep.dir, or a hydra.sweep.subdir that differs between the jobs. If you changed "
            "config files after that run, you can remove its directory instead."
        )


def changes_the_result(key: str) -> bool:
    """Return whether the results of two runs may differ because of different values of a setting."""
    return is_setting(key) or key == "seed"


def differing_keys(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return the keys with different values in two mappings; a missing key is the same as None."""
    keys = dict.fromkeys([*first, *second])
    return [key for key in keys if first.get(key) != second.get(key)]


def _leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of every leaf of nested mappings."""
    if not isinstance(node, Mapping):
        yield key, node
        return
    for name, child in node.items():
        yield from _leaves(child, f"{key}.{name}" if key else str(name))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more
