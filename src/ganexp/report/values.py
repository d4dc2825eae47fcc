"""Check values from run directories, which may be untrusted."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, TypeGuard

MAX_LENGTH = 300  # characters of a value that is shown
MAX_NUMBER = 1e60  # fourth powers, which Welch's test needs, stay finite


def plain(text: Any, limit: int = MAX_LENGTH) -> str:
    """Return `text` as one line without control characters; after `limit` characters it is cut with an ellipsis."""
    line = str(text)[: limit + 1]
    if not line.isprintable():
        line = "".join(char if char.isprintable() else " " for char in line)
    return line if len(line) <= limit else line[:limit] + "…"


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether `value` is a number below MAX_NUMBER; NaN, True and False do not count as numbers."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < MAX_NUMBER


def not_numbers(scores: Any) -> str:
    """Return the names of the entries of `scores` that are not numbers (see `is_number`), as text."""
    return plain(", ".join(plain(name) for name, value in as_dict(scores).items() if not is_number(value)))


def as_dict(value: Any) -> dict[Any, Any]:
    """Return `value` if it is a dictionary, and otherwise an empty dictionary."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[str]:
    """Return the items of `value` as text if it is a list, and otherwise an empty list."""
    return [str(item) for item in value] if isinstance(value, list) else []


def flatten(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of every leaf of a nested dictionary.

    A value is a number, a Boolean, None or one line of text. A list is converted to JSON text, and an empty list to
    None. A long text is cut, and a hash of the whole text is added, so that different texts stay different.
    """
    for key, value in as_dict(node).items():
        name = plain(f"{prefix}.{key}" if prefix else key)
        if isinstance(value, dict):
            yield from flatten(value, name)
        elif isinstance(value, bool) or is_number(value):
            yield name, value
        elif value in (None, []):
            yield name, None
        elif isinstance(value, list):
            yield name, _identifiable(json.dumps(value, default=str))
        else:
            yield name, _identifiable(str(value))


def _identifiable(text: str) -> str:
    """Return `text` as one line; a long text is cut, and the first digits of the hash of the whole text are added."""
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8] if len(text) > MAX_LENGTH else ""
    return plain(text) + digest
