"""Find a class by its name or number, and choose directory names for classes."""

import re
from collections.abc import Sequence
from typing import Any

from ganexp.errors import UserError

MAX_SHOWN = 10  # class names that an error message lists
MAX_DIRECTORY_BYTES = 120  # file systems allow 255
UNSAFE = re.compile(r'[/\\:*?"<>|%\x00-\x1f\x7f]|^[. ]+|[. ]+$')  # characters to replace in the names of directories


def class_names(classes: Sequence[str] | None, num_classes: int) -> list[str]:
    """Return the names of the classes, or their numbers if the names are not known."""
    return list(classes) if classes else [str(number) for number in range(num_classes)]


def find_class(label: Any, names: Sequence[str]) -> int:
    """Return the number of the class with the name or number `label`.

    If `label` is the name of one class and the number of another, the name takes precedence. If all class names are
    numbers, `label` is always read as a name, so that it cannot be confused with the number of another class.

    Args:
        label: value from the command line: a string, a number or a Boolean.
        names: the name of each class, in the order of the class numbers; empty if the model has no classes.

    Raises:
        UserError: there is no such class.
    """
    if not names:
        raise UserError(f"label={label}: this run is not conditional, so a class cannot be chosen. Leave label out.")
    text = str(label).lower() if isinstance(label, bool) else str(label)
    matching = [number for number, name in enumerate(names) if name == text]
    if not matching and isinstance(label, bool):
        matching = [number for number, name in enumerate(names) if name.lower() == text]
    if matching:
        return matching[0]
    names_are_numbers = all(name.isdecimal() for name in names)
    if not names_are_numbers and text.isdecimal() and int(text) < len(names):
        return int(text)
    shown = ", ".join([*names[:MAX_SHOWN], *(["…"] if len(names) > MAX_SHOWN else [])])
    numbers = "" if names_are_numbers else f", or a number from 0 to {len(names) - 1}"
    raise UserError(f"label={label}: no such class. Classes: {shown}. Give a name{numbers}")


def class_directories(names: Sequence[str]) -> list[str]:
    """Return for each class a different directory name, which is valid on any system.

    Characters that are not allowed are replaced by their code, such as %2F for a slash. Long names are shortened.
    """
    return [_directory(name, number) for number, name in enumerate(names)]


def _directory(name: str, number: int) -> str:
    safe = UNSAFE.sub(lambda match: "".join(f"%{ord(character):02X}" for character in match[0]), name)
    if not safe or len(safe.encode()) > MAX_DIRECTORY_BYTES:
        start = safe.encode()[:MAX_DIRECTORY_BYTES].decode(errors="ignore")
        return f"{start}%{number}"  # the number distinguishes two long names with the same start
    return safe
