"""metrics.jsonl as a few points a curve."""

import json
from pathlib import Path
from typing import Any

from ganexp.report.statistics import evenly
from ganexp.report.values import SPREADS, is_number, plain

POINTS = 100  # of a curve at most
KINDS = (("loss/",), ("score/", "d_logit/"))  # what is logged together
AXES = ("step", "images", "seconds", "d_steps")

Curve = dict[str, dict[str, list]]  # {"axes": {axis: values}, "values": {name: values}}, None where not a number


def read_curves(path: Path) -> tuple[list[Curve], list[str]]:
    """Losses and scores apart, as they are logged apart, and what is wrong with them.

    Of each, at most POINTS rows are kept, evenly, the first and the last among them.
    """
    if not path.is_file():
        return [], ["metrics.jsonl is missing: no curves"]
    text = path.read_text(errors="replace")
    problems = ["diverged: a loss or score is not finite"] if "NaN" in text or "Infinity" in text else []
    lines, curves = text.splitlines(), []
    for kinds in KINDS:
        mine = [line for line in lines if any(f'"{kind}' in line for kind in kinds)]
        rows = [row for i in evenly(len(mine), POINTS) if (row := _row(mine[i]))]
        if rows:
            curves.append(_columns(rows, kinds))
    return curves, problems


def _row(line: str) -> dict[str, Any] | None:
    """A line of metrics.jsonl; None for one cut short by a kill."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and is_number(row.get("step")) else None


def _columns(rows: list[dict[str, Any]], kinds: tuple[str, ...]) -> Curve:
    names = {key: None for row in rows for key in row if key.startswith(kinds) and not key.endswith(SPREADS)}
    axes = {axis: [_short(row.get(axis if axis == "step" else f"axis/{axis}")) for row in rows] for axis in AXES}
    return {"axes": axes, "values": {plain(name): [_short(row.get(name)) for row in rows] for name in names}}


def _short(value: Any) -> float | int | None:
    """Four digits are more than a screen shows."""
    if type(value) is float:  # nearly all are: a thousand runs hold a million
        return float(f"{value:.4g}") if value - value == 0 else None
    return value if is_number(value) else None
