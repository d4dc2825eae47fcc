"""The error class for mistakes that the user can correct, and the texts to print for all other errors."""

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches

MAX_LINES = 5  # a message that ganexp did not write is cut after this many lines
MAX_SUGGESTIONS = 3


class UserError(Exception):
    """A mistake that the user can correct. The message names the key, the value and the fix; no traceback is shown."""


def wants_traceback() -> bool:
    """Return whether an environment variable asks for the tracebacks of errors."""
    return "1" in (os.environ.get("GANEXP_TRACEBACK"), os.environ.get("HYDRA_FULL_ERROR"))


def did_you_mean(name: str, names: Iterable[str], prefix: str = "") -> str:
    """Return a question that suggests the names most similar to a mistyped name; empty if no name is similar.

    Args:
        name: the mistyped name.
        names: the names that could have been meant.
        prefix: text before each suggestion.
    """
    close = get_close_matches(name, list(names), n=MAX_SUGGESTIONS, cutoff=0.5)
    return f"Did you mean {' or '.join(prefix + match for match in close)}?" if close else ""


def shorten(error: Exception) -> str:
    """Return the first lines of an error's message; the name of the error's class if there is no message.

    This is for errors whose message ganexp did not write, because such messages can be long.
    """
    if message := _not_enough_memory(error):
        return message
    lines = str(error).strip().splitlines()[:MAX_LINES]
    return (
        "\n".join(line for line in lines if not line.startswith(("Exception raised from", "frame #")))
        or type(error).__name__
    )


def first_line(error: object) -> str:
    """Return the first line of an error's message; the name of the error's class if the message is empty."""
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
    more = [f"… (lines left out: {len(lines) - MAX_LINES})"] if len(lines) > MAX_LINES else []
    return "\n".join(
        [
            f"{type(error).__name__}: {lines[0]}",
            *lines[1:MAX_LINES],
            *more,
            *getattr(error, "__notes__", ()),
            "This is an error in ganexp, or in code of your own. The files of a run that had started are intact.",
            "To see where it occurred, for example to report it: GANEXP_TRACEBACK=1 ganexp …",
        ]
    )
