"""Read metrics.jsonl as learning curves with a limited number of points."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganexp import log_keys
from ganexp.report.statistics import evenly
from ganexp.report.values import is_number, plain

MAX_POINTS = 100  # points of a curve

# Each logged point has values of one kind, so each kind has its own steps.
KINDS = {
    "score": log_keys.SCORE,
    "loss": log_keys.LOSS,
    "logit": log_keys.LOGIT,
    "probability": log_keys.PROBABILITY,
    "accuracy": log_keys.ACCURACY,
    "gradient": log_keys.GRADIENT_NORM,
}
AXES = {
    "step": "step",
    "epochs": log_keys.EPOCHS,
    "images": log_keys.IMAGES,
    "seconds": log_keys.SECONDS,
    "d_steps": log_keys.D_STEPS,
}


@dataclass(frozen=True)
class Curve:
    """The logged values of one kind.

    Attributes:
        kind: a key of KINDS.
        axes: for each axis (a key of AXES), the positions of the points; None where a position is not a number.
        values: for each log key, the values at the points; None where a value is not a number.
    """

    kind: str
    axes: dict[str, list[float | None]]
    values: dict[str, list[float | None]]


def read_curves(path: Path) -> tuple[list[Curve], list[str]]:
    """Return the curves in the metrics.jsonl at `path`, one for each logged kind, and warnings about them.

    At most MAX_POINTS evenly spread points of a kind are kept, including the first and the last point.
    """
    if not path.is_file():
        return [], ["metrics.jsonl is missing, so there are no curves"]
    text = path.read_text(encoding="utf-8", errors="replace")
    is_finite = "NaN" not in text and "Infinity" not in text
    warnings = [] if is_finite else ["diverged: a loss or score is not finite"]
    lines = text.splitlines()
    curves = [_read_kind(lines, kind) for kind in KINDS]
    return [curve for curve in curves if curve is not None], warnings


def _read_kind(lines: list[str], kind: str) -> Curve | None:
    prefix = KINDS[kind]
    candidates = [line for line in lines if f'"{prefix}' in line]
    kept = [_parse_point(candidates[index]) for index in evenly(len(candidates), MAX_POINTS)]
    points = [point for point in kept if point is not None]
    if not points:
        return None
    names = {key: None for point in points for key in point if key.startswith(prefix)}
    return Curve(
        kind,
        axes={axis: [_rounded(point.get(key)) for point in points] for axis, key in AXES.items()},
        values={plain(name): [_rounded(point.get(name)) for point in points] for name in names},
    )


def _parse_point(line: str) -> dict[str, Any] | None:
    """Return the logged point in `line`; None if the line has no point, such as an incomplete last line."""
    try:
        point = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return point if isinstance(point, dict) and is_number(point.get("step")) else None


def _rounded(value: Any) -> float | int | None:
    """Return a number rounded to four digits, enough for a plot; None for anything else."""
    if type(value) is float:  # tested first for speed: a thousand runs have a million floats
        is_finite = value - value == 0
        return float(f"{value:.4g}") if is_finite else None
    return value if is_number(value) else None
