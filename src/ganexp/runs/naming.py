"""Name the directories of runs and of sweep jobs. Must not import torch."""

import re

MAX_LENGTH = 150  # characters; file systems allow 255 bytes, and a job's number is still to come


def slug(text: str) -> str:
    """Return a name that is safe in a path and on a command line: anything but letters, digits, . + - _ becomes -."""
    return re.sub(r"[^\w.+-]+", "-", str(text)).strip("-")[:MAX_LENGTH] or "run"


def run_name(name: str | None, *choices: str | None) -> str:
    """Return the name of a run: the given one, else the experiment's, else the chosen options joined by -.

    Args:
        name: the setting `name` of the config.
        choices: the chosen options: first the experiment (None without one), then those that make a default name, such
            as the data, the model and the loss.
    """
    if name:
        return slug(name)
    experiment, *options = choices
    return slug(experiment or "-".join(str(option) for option in options))


def job_name(number: int | None, overrides: str) -> str:
    """Return the directory name of a sweep's job, such as 03-loss-hinge_seed-1, from its number and its overrides.

    The number is None before Hydra has given one.
    """
    return slug(overrides) if number is None else f"{number:02}-{slug(overrides)}"
