"""The error class for mistakes that the user can correct, and the texts to print for all other errors."""

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches

MAX_LINES = 5  # lines shown of a message that ganexp did not write
MAX_SUGGESTIONS = 3


class UserError(Exception):
    """A mistake that the user can correct. The message names the key, the value and the fix; no traceback is shown."""


def wants_traceback() -> bool:
    """Return whether the environment asks for the traceback of errors."""
    return "1" in (os.environ.get("GANEXP_TRACEBACK"), os.environ.get("HYDRA_FULL_ERROR"))


def did_you_mean(name: str, names: Iterable[str], prefix: str = "") -> str:
    """Return a question that suggests the names most similar to a mistyped one; empty if no name is similar.

    Args:
        name: the mistyped name.
        names: the names that could have been meant.
        prefix: text before each suggestion.
    """
    close = get_close_matches(name, list(names), n=MAX_SUGGESTIONS, cutoff=0.5)
    return f"Did you mean {' or '.join(prefix + match for match in close)}?" if close else ""


def shorten(error: Exception) -> str:
    """Return the first lines of the message of an error that ganexp did not write; its class if it has no message."""
    if message := _not_enough_memory(error):
        return message
    lines = str(error).strip().splitlines()[:MAX_LINES]
    return (
        "\n".join(line for line in lines if not line.startswith(("Exception raised from", "frame #")))
        or type(error).__name__
    )


def first_line(error: object) -> str:
    """Return the first line of the message of an error, or of its reason; the class if there is no message."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _not_enough_memory(error: Exception) -> str:
    """Return what to print if torch, numpy or Python could not allocate memory, and an empty text for other errors."""
    if needed := re.search(r"you tried to allocate (\d+) bytes", str(error)):
        return f"not enough memory: a single tensor would take {int(needed[1]) / 2**30:,.1f} GiB. Use smaller sizes."
    return f"not enough memory: {error or 'use smaller sizes'}" if isinstance(error, MemoryError) else ""


def explain_unforeseen(error: Exception) -> str:
    """Return what to print for an error that no check has foreseen, in at most ten lines."""
    if message := _not_enough_memory(error):
        return message
    lines = str(error).strip().splitlines() or ["no message"]
    more = [f"… and {len(lines) - MAX_LINES} more lines"] if len(lines) > MAX_LINES else []
    return "\n".join(
        [
            f"{type(error).__name__}: {lines[0]}",
            *lines[1:MAX_LINES],
            *more,
            "This is an error in ganexp, or in code of your own. The files of a run that had started are intact.",
            "To see where it occurred, for example to report it: GANEXP_TRACEBACK=1 ganexp …",
        ]
    )
