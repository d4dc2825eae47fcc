"""Print and save the scores of one evaluation."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from ganexp.console import count, make_console, say, say_once, short_path
from ganexp.metrics.collection import Scores
from ganexp.report.few_samples import FEW_IMAGES_TEXT
from ganexp.report.rounding import rounded_texts
from ganexp.runs import atomic
from ganexp.runs.environment import environment, now

SCORED = ("protocol", "checkpoint", "step", "images", "real")  # entries of a record that say what was scored, and how
DIRECTIONS = {True: " ↑", False: " ↓", None: ""}  # the arrow for each value of higher_is_better


def print_scores(record: Mapping[str, Any]) -> None:
    """Print a table with a row for each score and a column for each reference, and lines that explain the table.

    Args:
        record: a mapping with the keys `scores` (the value of each score), `score_info`, `protocol` and, for a
            checkpoint, `step`.
    """
    protocol = record["protocol"]
    make_console().print(score_table(record["scores"], record["score_info"], list(protocol["references"])))
    for line in spread_lines(record["scores"], record["score_info"]):
        say(line)
    splits = protocol["references"].items()
    against = " and ".join(f"{count(reference['images'], 'image')} ({split})" for split, reference in splits)
    text = f"{count(protocol['samples'], 'sample')} against {against} of {protocol['data']}"
    say(f"step {record['step']:,}: {text}" if "step" in record else text)


def warn_of_few_images(scores: Scores, only_samples: bool = False) -> None:
    """Print a warning if a score is biased because there are few samples or few real images.

    Args:
        scores: the scores.
        only_samples: whether to warn of few samples only, and not of few real images.
    """
    # for each number of images that scores need, texts about smaller numbers, such as "500 samples"
    few: dict[int, dict[str, None]] = {}
    for score in scores.scores.values():
        needed = score.fewest_images or 0
        counts = score.compared_samples() | ({} if only_samples else score.compared_real_images())
        few.setdefault(needed, {}).update({text: None for text, number in counts.items() if number < needed})
    for needed, texts in few.items():
        if texts:
            say_once(
                f"warning: {' and '.join(texts)} are few: {FEW_IMAGES_TEXT.format(needed)}. Compare such scores only "
                "if they are computed from the same number of images, or use KID"
            )


def save_scores(record: Mapping[str, Any], path: Path) -> None:
    """Save the record as JSON, together with the time, the versions and the machine.

    If the file exists already, the scores that are lost are printed, see `_replaced_scores`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if lost := _replaced_scores(record, path):
        texts = ", ".join(f"{name} {value:.4g}" for name, value in lost.items())
        say(f"{short_path(path)} had other scores, which are replaced: {texts}")
    atomic.write_text(path, json.dumps({**record, "time": now(), **environment()}, indent=2) + "\n")
    say(f"scores: {short_path(path)}")


def _replaced_scores(record: Mapping[str, Any], path: Path) -> dict[str, float]:
    """Return the scores in a file that are lost when `record` replaces the file.

    These are the scores that `record` lacks. If the file has the scores of other samples or of another protocol, all of
    its scores are lost.
    """
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        of_record = json.loads(json.dumps(record))
        is_same = all(known.get(key) == of_record.get(key) for key in SCORED)
        scores = {name: float(value) for name, value in known["scores"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # no such file, or a file with other content
        return {}
    return {name: value for name, value in scores.items() if not is_same or name not in record["scores"]}


def score_table(values: Mapping[str, float], info: Mapping[str, Mapping[str, Any]], splits: list[str]) -> Table:
    """Return a table of scores: ↑ means that higher values are better, and ↓ that lower values are.

    Deviations and intervals stand next to their scores. If a score is missing, its deviation or interval has its own
    row.
    """
    rows: dict[str, list[str]] = {}
    for name, value in values.items():
        if info.get(name, {}).get("spread_of") in values:
            continue
        facts = info.get(name, {})
        column = splits.index(facts.get("reference", splits[0]))
        row = facts.get("row", name) + DIRECTIONS[facts.get("higher_is_better")]
        rows.setdefault(row, [""] * len(splits))[column] = _cell(value, _spreads(name, values, info))
    table = Table("score", *(f"against {split}" if len(splits) > 1 else "value" for split in splits))
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def spread_lines(values: Mapping[str, float], info: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return, for each kind of deviation or interval in a table, a line with the names of the scores that have it."""
    names: dict[str, dict[str, None]] = {}
    for name in values:
        if spread := info.get(name, {}).get("spread"):
            sign = "±" if _ending(name, info) == "std" else "(… to …)"
            names.setdefault(f"{sign} {spread}", {})[info[name]["spread_of"]] = None
    return [f"{text}: {', '.join(scores)}" for text, scores in names.items()]


def _ending(name: str, info: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the last part of the name of a deviation or an interval limit: `std`, `low` or `high`."""
    return name.removeprefix(f"{info[name]['spread_of']}_")


def _spreads(name: str, values: Mapping[str, float], info: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the deviations and interval limits of a score; the keys are `std`, `low` and `high`."""
    own = (other for other in values if info.get(other, {}).get("spread_of") == name)
    return {_ending(other, info): values[other] for other in own}


def _cell(value: float, spreads: Mapping[str, float]) -> str:
    text = f"{value:.4g}"
    if "std" in spreads:
        text = " ± ".join(rounded_texts(value, spreads["std"]))
    if "low" in spreads:
        text += f"  ({spreads['low']:.4g} to {spreads['high']:.4g})"
    return text
