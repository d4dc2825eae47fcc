"""Choose names for the directories of runs and of sweep jobs. Must not import torch."""

import re

MAX_LENGTH = 150  # characters; file systems allow 255 bytes, and a job's number is still to come


def slug(text: str) -> str:
    """Return a name for paths and command lines: all characters except letters, digits, . + - _ are replaced by -."""
    return re.sub(r"[^\w.+-]+", "-", str(text)).strip("-")[:MAX_LENGTH] or "run"


def run_name(name: str | None, *choices: str | None) -> str:
    """Return the name of a run: `name` if given, else the name of the experiment, else the chosen options joined by -.

    Args:
        name: the setting `name` of the config.
        choices: the chosen options: first the experiment (or None), then the options for a default name, such as those
            of data, model and loss.
    """
    if name:
        return slug(name)
    experiment, *options = choices
    return slug(experiment or "-".join(str(option) for option in options))


def job_name(number: int | None, overrides: str) -> str:
    """Return the directory name of a sweep job, such as 03-loss-hinge_seed-1, from its number and its overrides.

    The number is None until Hydra has assigned it. Quotes around the values of overrides are left out.
    """
    name = slug(re.sub("[\"']", "", overrides))
    return name if number is None else f"{number:02}-{name}"
