"""Explain an interpolation, such as ${seed}, that cannot be resolved. Must not import torch."""

import re
from collections.abc import Sequence

from omegaconf.errors import OmegaConfBaseException

RAISED = re.compile(r"^\w+ raised while resolving interpolation: ")
MAX_SHOWN = 200  # characters of the reason


def explain_interpolation(error: OmegaConfBaseException, overrides: Sequence[str] = ()) -> str:
    """Return which setting cannot be resolved, why, and which of the overrides have interpolations."""
    reason = RAISED.sub("", str(error).partition("\n")[0]).strip('"')
    shown = reason if len(reason) <= MAX_SHOWN else f"{reason[:MAX_SHOWN]}…"
    given = [override for override in overrides if "${" in override]
    key = getattr(error, "full_key", None)
    lines = [f"{key}: {shown}" if key else shown]
    if given:
        lines = [f"{' '.join(given)}: {shown}", "${KEY} stands for the value of the setting KEY."]
        lines += [f"It is needed for {key}."] if key and not any(text.startswith(f"{key}=") for text in given) else []
    return "\n".join(lines)
