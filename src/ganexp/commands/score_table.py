"""Print and save the scores of one evaluation."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from ganexp.console import make_console, say, short_path
from ganexp.runs import atomic
from ganexp.runs.environment import environment, now


def print_scores(record: Mapping[str, Any]) -> None:
    """Print a table with a row for each score and a column for each reference, and a line on the scored images.

    Args:
        record: `scores` by name, their `score_info`, the `protocol`, and the `step` of a checkpoint.
    """
    protocol = record["protocol"]
    make_console().print(score_table(record["scores"], record["score_info"], list(protocol["references"])))
    splits = protocol["references"].items()
    against = " and ".join(f"{reference['images']:,} images ({split})" for split, reference in splits)
    text = f"{protocol['samples']:,} samples against {against} of {protocol['data']}"
    say(f"step {record['step']:,}: {text}" if "step" in record else text)


def save_scores(record: Mapping[str, Any], path: Path) -> None:
    """Save the record as JSON, together with the time, the versions and the machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(path, json.dumps({**record, "time": now(), **environment()}, indent=2) + "\n")
    say(f"scores: {short_path(path)}")


def score_table(values: Mapping[str, float], info: Mapping[str, Mapping[str, Any]], splits: list[str]) -> Table:
    """Return a table of scores, with deviations and intervals next to the value that they belong to."""
    rows: dict[str, list[str]] = {}
    for name, value in values.items():
        if "spread_of" in info.get(name, {}):
            continue
        column = next((place for place, split in enumerate(splits) if place and f"_{split}" in name), 0)
        row = name.replace(f"_{splits[column]}", "", 1) if column else name
        rows.setdefault(row, [""] * len(splits))[column] = _cell(name, value, values)
    table = Table("score", *(f"against {split}" if len(splits) > 1 else "value" for split in splits))
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def _cell(name: str, value: float, values: Mapping[str, float]) -> str:
    text = f"{value:.5g}"
    if f"{name}_std" in values:
        text += f" ± {values[f'{name}_std']:.2g}"
    if f"{name}_low" in values:
        text += f"  ({values[f'{name}_low']:.4g} to {values[f'{name}_high']:.4g})"
    return text
