"""Write a report as CSV and as Markdown."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

from ganexp.report.columns import Column
from ganexp.report.finding import finding, other_differences, title
from ganexp.report.formatting import difference_texts, mean_and_half
from ganexp.report.report import UNKNOWN_PROTOCOL_TEXT, Report
from ganexp.report.statistics import LEVEL_TEXT

STATISTICS = ("n", "mean", "sd", "low", "high")  # fields of Summary: the columns of table.csv for each score
FORMULA_STARTS = ("=", "+", "-", "@")  # characters by which spreadsheets recognise a formula
# What Markdown would read as markup: "]" only at the end of a link's text, and "<" only at the start of a tag.
MARKUP = re.compile(r"[\\|`*]|\](?=[(\[:])|<(?=[A-Za-z/!?])|^[>#]")


def as_csv(report: Report) -> str:
    """Return a CSV table with a row for each configuration; the numbers have all their digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    score_heads = [f"{_csv_name(column)}_{statistic}" for column in report.columns for statistic in STATISTICS]
    writer.writerow(["configuration", "runs", "n", *score_heads, *report.settings])
    for row in report.rows:
        configuration = row.configuration
        numbers = [getattr(row.cells[column], statistic) for column in report.columns for statistic in STATISTICS]
        settings = [_without_formula(configuration.settings.get(key)) for key in report.settings]
        label = _without_formula(configuration.label)
        writer.writerow([label, len(configuration.runs), len(configuration.counted), *numbers, *settings])
    return text.getvalue()


def as_markdown(report: Report) -> str:
    """Return the scores, the comparisons and the uncounted runs as Markdown, without settings."""
    sections = [
        f"# {_escape(title(report))}",
        _escape(finding(report)),
        _escape(other_differences(report)),
        report.scores_text,
        _escape(report.directions()),
        _scores(report),
    ]
    sections += map(_escape, report.common_protocols())
    for note in report.protocol_notes():
        values = "; ".join(f"{key}={value}" for key, value in note.values.items())
        sections.append(f"Scores [{note.letter}]: {_escape(values)}")
    if report.protocol_is_unknown:
        sections.append(UNKNOWN_PROTOCOL_TEXT)
    if report.comparisons:
        table = _comparisons(report) if report.tested else ""
        sections += ["## Comparisons", _escape(report.comparisons_text), table, _escape(report.untested_text)]
    if report.uncounted:
        rows = [[run.label, run.status, "; ".join(run.warnings)] for run in report.uncounted]
        sections += ["## Runs that do not count", _table(["run", "status", "why"], rows)]
    return "\n\n".join(filter(None, sections)) + "\n"


def _scores(report: Report) -> str:
    heads = ["configuration", f"seeds (± is the {LEVEL_TEXT} interval)", *(column.title for column in report.columns)]
    rows = []
    for row in report.rows:
        configuration, counted = row.configuration, len(row.configuration.counted)
        scores = [mean_and_half(row.cells[column], counted) for column in report.columns]
        rows.append([configuration.label, str(counted), *scores])
    return _table(heads, rows)


def _comparisons(report: Report) -> str:
    heads = ["score", "first", "second", "first - second", f"{LEVEL_TEXT} interval", "p (Holm)", "test", "verdict"]
    rows = []
    for comparison in report.tested:
        texts = difference_texts(comparison)
        labels = [comparison.column.title, comparison.first.label, comparison.second.label]
        numbers = [texts.mean, texts.interval, texts.p]
        rows.append([*labels, *numbers, comparison.difference.kind, comparison.verdict])
    return _table(heads, rows)


def _csv_name(column: Column) -> str:
    letter = f"_{column.letter}" if column.letter else ""
    return f"{column.score}{letter}_{column.evaluation}".replace(" ", "_")


def _without_formula(value: Any) -> Any:
    """Add an apostrophe before text that a spreadsheet would read as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [_line([_escape(head) for head in heads]), _line(["---"] * len(heads))]
    lines += [_line([_escape(cell) for cell in row]) for row in rows]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    return MARKUP.sub(lambda found: "&lt;" if found[0] == "<" else f"\\{found[0]}", text)
