"""Print what `ganexp describe` returns: readable lines on a terminal, JSON to a file or pipe.

This module must not import torch.
"""

import json
from collections.abc import Iterator, Mapping
from textwrap import fill
from typing import Any

from ganexp.console import clock_time, count, is_terminal, make_console, say

Rows = dict[str, str]  # for each value, its dotted key and its text


def print_description(description: Mapping[str, Any], as_json: bool) -> None:
    """Print the description of a run or of a sweep. For a sweep, the key `jobs` has the descriptions of its jobs.

    Args:
        description: the description, made of values that JSON can represent.
        as_json: whether to print JSON, instead of aligned lines, on a terminal; a file or pipe always gets JSON.
    """
    if as_json or not is_terminal():
        say(json.dumps(description, indent=2))
        return
    if "jobs" not in description:
        _print_rows(dict(_rows(description)))
        return
    jobs = {tuple(job["overrides"]): dict(_rows({**job, "overrides": None})) for job in description["jobs"]}
    shared = dict(set.intersection(*(set(rows.items()) for rows in jobs.values()))) if len(jobs) > 1 else {}
    everywhere = set.intersection(*map(set, jobs)) if len(jobs) > 1 else set()
    for overrides, rows in jobs.items():
        say(" ".join(override for override in overrides if override not in everywhere))
        _print_rows({key: text for key, text in rows.items() if shared.get(key) != text}, indent=2)
    if shared:
        say("all jobs")
        _print_rows({key: text for rows in jobs.values() for key, text in rows.items() if key in shared}, indent=2)
    _print_rows(dict(_rows(description.get("estimate"), "estimate of the sweep")))


def _print_rows(rows: Rows, indent: int = 0) -> None:
    """Print a line for each row, with the texts aligned in a column."""
    width = max(map(len, rows), default=0) + indent + 2
    columns = max(make_console().width, width + 40)
    for key, text in rows.items():
        start = f"{' ' * indent}{key}:".ljust(width)
        say(fill(text, columns, initial_indent=start, subsequent_indent=" " * width, break_on_hyphens=False))


def _rows(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the rows of a value: one row or, for a mapping, the rows of its entries. Empty values are left out."""
    if value in (None, {}, []):
        return
    if not isinstance(value, Mapping) or "_target_" in value:
        yield key, _with_unit(key, value)
    elif key.startswith("data.images.") or key == "data.passed_over":
        yield key, _counts(value)
    else:
        if "settings" in value:  # the value describes a network or loss
            yield key, _call(value["name"], value["settings"])
        for name, child in value.items():
            if "settings" not in value or name not in ("name", "settings"):
                yield from _rows(child, f"{key}.{name}".lstrip("."))


def _with_unit(key: str, value: Any) -> str:
    """Return a value as text. In an estimate, hours are also shown as H:MM:SS, and shares are shown in percent."""
    if key.startswith("estimate"):
        name = key.rpartition(".")[2]
        if name == "hours":
            return f"{_text(value)} ({clock_time(3600 * value)})"
        if "share" in name:
            return f"{value:.1%}"
    return f"{value:,}" if type(value) is int else _text(value)


def _counts(sizes: Mapping[str, int]) -> str:
    """Return the sum of the class sizes, and each class size if there are few classes."""
    listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    return f"{sum(sizes.values()):,} in {count(len(sizes), 'class')}" + (f": {listed}" if len(sizes) <= 10 else "")


def _text(value: Any) -> str:
    """Return a value as text that is easy to read; the text is a call if the value describes an object."""
    if isinstance(value, Mapping):
        settings = {name: child for name, child in value.items() if name != "_target_"}
        return _call(value["_target_"].rpartition(".")[2], settings) if "_target_" in value else f"{{{_pairs(value)}}}"
    if isinstance(value, list):
        texts = list(map(_text, value))
        return "; ".join(texts) if any(" " in text for text in texts) else f"[{', '.join(texts)}]"
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _call(name: str, settings: Mapping[str, Any]) -> str:
    return f"{name}({_pairs(settings)})"


def _pairs(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_text(value)}" for name, value in settings.items())
