"""Values from run folders that strangers may have written: what is a number, and what a line of text."""

from typing import Any

SPREADS = ("_std", "_low", "_high")  # ends of names that go with another score: its spread within one run
LONGEST = 300  # characters of a value that is shown


def plain(text: Any, limit: int = LONGEST) -> str:
    """One line of at most `limit` characters, without control characters."""
    line = str(text)[: limit + 1]
    if not line.isprintable():
        line = "".join(char if char.isprintable() else " " for char in line)
    return line if len(line) <= limit else line[:limit] + "…"


def is_number(value: Any) -> bool:
    """Whether it is a finite number; True and False are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300
