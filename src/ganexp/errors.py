"""The error class for mistakes that the user can correct, and what to print for all others."""

import os
import re

MAX_LINES = 5  # of a message that ganexp did not write


class UserError(Exception):
    """A mistake that the user can correct. The message names the key, the value and the fix; no traceback is shown."""


def wants_traceback() -> bool:
    """Return whether the environment asks for the traceback of errors."""
    return "1" in (os.environ.get("GANEXP_TRACEBACK"), os.environ.get("HYDRA_FULL_ERROR"))


def shorten(error: Exception) -> str:
    """Return the first lines of the message of an error that ganexp did not write; its class if it has no message."""
    if needed := re.search(r"you tried to allocate (\d+) bytes", str(error)):
        return f"not enough memory: a single tensor would take {int(needed[1]) / 2**30:,.1f} GiB. Use smaller sizes."
    lines = str(error).strip().splitlines()[:MAX_LINES]
    return (
        "\n".join(line for line in lines if not line.startswith(("Exception raised from", "frame #")))
        or type(error).__name__
    )


def explain_unforeseen(error: Exception) -> str:
    """Return what to print for an error that no check has foreseen, in at most ten lines."""
    lines = str(error).strip().splitlines() or ["no message"]
    more = [f"… and {len(lines) - MAX_LINES} more lines"] if len(lines) > MAX_LINES else []
    return "\n".join(
        [
            f"{type(error).__name__}: {lines[0]}",
            *lines[1:MAX_LINES],
            *more,
            "This error is one of ganexp, or of code of your own. The files of a run that had started are intact.",
            "To see where it occurred, for example to report it: GANEXP_TRACEBACK=1 ganexp …",
        ]
    )
