"""Read run.json and metrics.jsonl, which may be damaged, or come from a stranger. This module must not import torch."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ganexp.errors import UserError

Values = dict[str, Any]


class RunRecord(BaseModel):
    """The types of the values in run.json that ganexp reads. Other values are kept as they are."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str | None = None
    status: str | None = None
    error: str | None = None
    stopped: str | None = None
    started: str | None = None
    ended: str | None = None
    resumed: list[str] | None = None
    groups: Values | None = None
    overrides: list[str] | None = None
    tags: list[str] | None = None
    scores: dict[str, Values | None] | None = None
    protocol: Values | None = None
    best_by: str | None = None
    objective: float | None = None
    data: dict[str, Values] | None = None
    guard: list[Values] | None = None
    rollbacks: list[Values] | None = None
    data_changes: list[Values] | None = None
    repository: Values | None = None
    init_from: Values | None = None


def read_record(path: Path) -> Values:
    """Return the content of the run.json at `path`; an empty dictionary if the file is missing or still empty.

    Raises:
        UserError: the file is damaged, or was not written by ganexp.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        values = json.loads(text) if text else {}
        RunRecord.model_validate(values)
    except (ValueError, RecursionError) as error:  # ValidationError and UnicodeDecodeError are ValueErrors
        raise UserError(
            f"{path} is damaged: {_reason(error)}.\n"
            "Restore it from a copy. Or replace its content by an empty JSON object, {}: then ganexp resume works, but "
            "the run loses its records of times, versions and images."
        ) from None
    return values


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
    return str(error) or type(error).__name__


def read_points(path: Path) -> tuple[list[Values], int]:
    """Return the logged points in the metrics.jsonl at `path` in order, and the number of other lines.

    An incomplete last line, which a killed process leaves, is not counted.
    """
    if not path.exists():
        return [], 0
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    points = [_point(line) for line in lines]
    is_cut = bool(points) and points[-1] is None and not lines[-1].endswith("\n")
    kept = [point for point in points if point is not None]
    return kept, len(lines) - len(kept) - is_cut


def _point(line: str) -> Values | None:
    """Return the logged point in `line`; None if the line has no point."""
    try:
        point = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return point if isinstance(point, dict) and type(point.get("step")) is int else None
