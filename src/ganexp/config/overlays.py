"""Refuse an option of `as_published` that is not meant for the chosen experiment. This module must not import torch."""

from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any

from omegaconf import DictConfig

from ganexp.config.composition import CONF
from ganexp.errors import UserError


def check_overlay(cfg: DictConfig, groups: Mapping[str, Any]) -> None:
    """Check that the chosen experiment is one of `published_cases`, which the option of as_published declares.

    The user's own experiments are accepted, because they may extend one of these cases.

    Args:
        cfg: the composed config.
        groups: for each group, the chosen option or options.

    Raises:
        UserError: no experiment is chosen; the chosen experiment is one of ganexp's, but not one of these cases; or
            `published_cases` is set without an option of as_published.
    """
    experiment, cases = groups.get("experiment"), list(cfg.get("published_cases") or [])
    if not cases or any(fnmatch(str(experiment), case) for case in cases):
        return
    if groups.get("as_published") in (None, "none"):
        raise UserError(f"published_cases={cases}: only options of as_published may set this key. Leave it out.")
    overlay = f"as_published={groups.get('as_published')} reproduces the code of an article"
    choices = f"experiment={', '.join(cases)}"
    if experiment is None:
        raise UserError(f"{overlay}: choose one of its cases, {choices}")
    if (CONF / "experiment" / f"{experiment}.yaml").exists():
        raise UserError(
            f"{overlay}. It is for {choices}, and not for experiment={experiment}: "
            "leave out as_published, or choose one of those experiments"
        )
