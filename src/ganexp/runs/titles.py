"""The title of a run's pictures. This module must not import torch."""

from pathlib import PurePath

import yaml

from ganexp.runs.run_directory import RunDirectory

GROUPS = ("data", "model", "loss")


def run_title(run: RunDirectory) -> str:
    """Return the dataset, model, loss and seed of a run; empty if run.json lacks them or config.yaml is missing.

    A dataset of the user's own images is named after the directory or zip file of the images.
    """
    options = run.metadata().get("groups", {})
    if not options or not run.config.exists():
        return ""
    cfg = yaml.load(run.config.read_bytes(), yaml.CSafeLoader)
    parts = {group: str(options[group]) for group in GROUPS if options.get(group)}
    if path := cfg["data"].get("path"):
        parts["data"] = PurePath(str(path)).name
    return " · ".join([*parts.values(), f"seed {cfg['seed']}"])
