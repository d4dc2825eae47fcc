"""Choose names for the directories of runs and of sweep jobs. This module must not import torch."""

import re

# The start of a dotted key, before its last two parts: "optimizer." in optimizer.generator.lr.
KEY_START = re.compile(r"[a-z_.]+\.(?=[a-z_]+\.\w+$)")
MAX_LENGTH = 150  # characters of a name; file systems allow 255 bytes, and the number of a job may be added


def slug(text: str) -> str:
    """Return a name for paths and command lines: all characters except letters, digits and . + - _ become hyphens."""
    return re.sub(r"[^\w.+-]+", "-", str(text)).strip("-")[:MAX_LENGTH] or "run"


def run_name(name: str | None, *choices: str | None) -> str:
    """Return the name of a run: `name` if given, else the experiment's name, else the chosen options joined by hyphens.

    Args:
        name: the setting `name` of the config.
        choices: the chosen options: first the experiment (or None), then the options of the groups that make a default
            name, such as data, model and loss.
    """
    if name:
        return slug(name)
    experiment, *options = choices
    return slug(experiment or "-".join(str(option) for option in options))


def job_name(number: int | None, overrides: str) -> str:
    """Return the directory name of a sweep job, such as 03-generator.lr-0.1_seed-1, from its number and its overrides.

    Only the last two parts of a dotted key are used, so that TensorBoard can show the names. Quotes and brackets of
    values are left out.

    Args:
        number: the number of the job; None until Hydra has assigned it.
        overrides: the overrides of the job, one per line.
    """
    start = "" if number is None else f"{number:02}-"
    pairs = [line.partition("=")[::2] for line in re.sub("[\"']", "", overrides).splitlines()]
    return start + slug("_".join(f"{KEY_START.sub('', key)}-{re.sub(r'[][]', '', value)}" for key, value in pairs))
