"""Find the setting that changes a path of a command, for errors about this path. This module must not import torch."""

import os
import re
from collections.abc import Sequence
from typing import Any

from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganexp.commands.tasks import Task
from ganexp.config.composition import root_type
from ganexp.config.paths import absolute, path_keys
from ganexp.runs.places import check_writable


def places(task: Task) -> dict[str, str]:
    """Return, for the absolute path of each directory or file of a task, the setting that changes this path."""
    is_job = task.hydra_config.mode == RunMode.MULTIRUN
    found = {str(task.directory.absolute()): f"hydra.{'sweep' if is_job else 'run'}.dir=DIRECTORY"}
    texts = OmegaConf.to_container(task.cfg, resolve=False)
    for key in path_keys(root_type(task.cfg)):
        if (path := _path_at(task, key)) is not None:
            found[path] = _how_to_move(key, _at(texts, key))
    return found


def _path_at(task: Task, key: str) -> str | None:
    """Return the absolute path that a config key has as its value; None if the key has no value."""
    try:
        value = OmegaConf.select(task.cfg, key)
    except OmegaConfBaseException:
        return None
    return absolute(value, task.base) if value else None


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
    """Read each value on a command line as an absolute path, and return for each path the setting that has this value.

    The result also has the path of outputs/, with the settings that change where new runs are written.
    """
    pairs = [argument.split("=", 1) for argument in argv if "=" in argument]
    given = {absolute(value.strip("'\"")): f"{key}=PATH" for key, value in pairs}
    new_runs = "hydra.run.dir=DIRECTORY, or hydra.sweep.dir=DIRECTORY for a sweep; or another working directory"
    return {absolute("outputs"): new_runs} | given


def check_places(task: Task) -> None:
    """Check, before a task starts, that the task can write to its output directories.

    An existing cache may be read-only, because it may already have all files.

    Raises:
        OSError: a directory cannot be written.
    """
    output = _path_at(task, "output")
    if output is not None:
        check_writable(output)
    is_scored = OmegaConf.select(task.cfg, "metrics.extractor") is not None
    cache = _path_at(task, "metrics.cache")
    if (
        is_scored
        and cache is not None
        and not os.path.exists(cache)
        and task.hydra_config.job.config_name != "describe"
    ):
        check_writable(cache)
