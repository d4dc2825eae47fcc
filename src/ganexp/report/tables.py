"""The tables of a report as text: CSV, Markdown, and what the terminal shows."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from ganexp.report.collect import Run
from ganexp.report.comparison import Comparison, compare
from ganexp.report.grouping import Column, Group, columns, differing, group, letters, setting
from ganexp.report.statistics import Summary, summarize

READING = (
    "Mean ± half of the 95 % interval over seeds (Student's t). Only finished runs count, and of several with the same "
    "settings and seed the newest. FID and KID: lower is better; IS, accuracy, precision, recall, density, coverage: "
    "higher is better. Best is the evaluation that chose the checkpoint, by a score of the same samples, so it "
    "flatters a little; last does not."
)
PAIRING = (
    "Differences are paired by seed where one group's seeds are all among the other's (paired t), else Welch's t. "
    "p is Holm's over all pairs of groups with that score. Not separable: the 95 % interval of the difference includes "
    "zero, a group has a single seed, or Holm's p is 0.05 or more."
)

UNKNOWN = (
    "These runs do not record under which protocol (extractor, reference images, number of samples) they were scored. "
    "They are compared as if it were one."
)


@dataclass
class Report:
    """What is told of some runs."""

    runs: list[Run]
    groups: list[Group]
    columns: list[Column]
    settings: list[str]  # that differ between the groups
    letters: dict[str, str]  # of the protocols, if several
    comparisons: list[Comparison]

    @classmethod
    def of(cls, runs: list[Run]) -> "Report":
        groups, names = group(runs), letters(runs)
        shown = columns(groups, names)
        return cls(runs, groups, shown, differing([one.settings for one in groups]), names, compare(groups, shown))

    @property
    def uncounted(self) -> list[Run]:
        """Runs that enter no mean."""
        counted = {id(run) for one in self.groups for run in one.counted}
        return [run for run in self.runs if id(run) not in counted]

    def cells(self, one: Group) -> list[Summary]:
        """A summary for each of the columns."""
        return [summarize(list(one.values(column).values())) for column in self.columns]

    def protocols(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Letter and what differs, of each protocol in the report."""
        named = set(self.letters) - {"?"}
        known = {run.protocol_id: run.protocol for run in self.runs if run.protocol_id in named}
        keys = [key for key in differing(list(known.values())) if key != "id"]
        told = []
        for one, letter in self.letters.items():
            facts = [(key, str(known[one].get(key, "-"))) for key in keys] if one != "?" else []
            told.append((letter, facts or [("protocol", "not recorded")]))
        return told

    @property
    def unknown(self) -> bool:
        """Whether no run with scores says what they were measured with."""
        return {run.protocol_id for run in self.runs if run.scored} == {"?"}


def number(value: float | None) -> str:
    """Four digits; an en dash for none."""
    return "–" if value is None else f"{value:.4g}"


def mean_and_half(summary: Summary, n: int) -> str:
    """40.4 ± 1.2, and its own n where it is not the group's `n`."""
    if not summary.n:
        return "–"
    half = "" if summary.sd is None else f" ± {(summary.high - summary.mean):.2g}"
    return number(summary.mean) + half + ("" if summary.n == n else f" (n={summary.n})")


def as_csv(report: Report) -> str:
    """A row a group, every number at full length; text that a spreadsheet would compute is quoted with '."""
    parts = ("n", "mean", "sd", "low", "high")
    heads = [f"{column.score}{f'_{column.letter}' * bool(column.letter)}_{column.which}" for column in report.columns]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["group", "runs", "n", *(f"{head}_{part}" for head in heads for part in parts), *report.settings])
    for one in report.groups:
        numbers = [getattr(cell, part) for cell in report.cells(one) for part in parts]
        texts = [_inert(one.settings.get(key)) for key in report.settings]
        writer.writerow([_inert(one.label), len(one.runs), len(one.counted), *numbers, *texts])
    return out.getvalue()


def as_markdown(report: Report) -> str:
    """Scores, comparisons, and the runs that do not count."""
    names = [setting(key, None)[0] for key in report.settings]
    heads = ["group", "n", *(column.title for column in report.columns), *names]
    rows = []
    for one in report.groups:
        n = len(one.counted)
        cells = [mean_and_half(cell, n) for cell in report.cells(one)]
        rows.append([one.label, str(n), *cells, *(setting(key, one.settings.get(key))[1] for key in report.settings)])
    text = ["# Runs compared", READING, _pipes(heads, rows)]
    for letter, facts in report.protocols():
        text.append(f"Scores [{letter}]: " + _safe("; ".join(f"{key}={value}" for key, value in facts)))
    if report.unknown:
        text.append(UNKNOWN)
    if report.comparisons:
        heads = ["score", "first", "second", "first - second", "95 % interval", "p (Holm)", "test", "verdict"]
        rows = [[one.column.title, one.first.label, one.second.label, *differences(one), one.difference.kind,
                 one.verdict] for one in report.comparisons]  # fmt: skip
        text += ["## Comparisons", PAIRING, _pipes(heads, rows)]
    if report.uncounted:
        rows = [[run.label, run.status, "; ".join(run.warnings)] for run in report.uncounted]
        text += ["## Runs that do not count", _pipes(["run", "status", "why"], rows)]
    return "\n\n".join(text) + "\n"


def differences(one: Comparison) -> tuple[str, str, str]:
    """The difference, its interval and p, as text."""
    found = one.difference
    interval = "–" if found.low is None else f"{found.low:.3g} … {found.high:.3g}"
    return f"{found.mean:+.3g}", interval, "–" if one.p is None else f"{one.p:.2g}"


def terminal(report: Report, width: int, rows: int = 20) -> Table:
    """The first groups, and as many of the scores at the last evaluation as `width` characters hold."""
    scores = max(1, (width - 36) // 20)
    shown = [place for place, column in enumerate(report.columns) if column.which == "last"][:scores]
    table = Table()
    table.add_column("group", overflow="fold", min_width=20)
    table.add_column("n", no_wrap=True)
    for place in shown:
        table.add_column(report.columns[place].title, overflow="fold", max_width=16)
    for one in report.groups[:rows]:
        cells = report.cells(one)
        n = len(one.counted)
        table.add_row(Text(one.label), f"{n} of {len(one.runs)}", *(mean_and_half(cells[place], n) for place in shown))
    return table


def verdicts(report: Report, most: int = 6) -> list[str]:
    """A line a comparison of scores at the last evaluation, what the seeds tell apart first."""
    told = [one for one in report.comparisons if one.column.which == "last"]
    told.sort(key=lambda one: not one.separable)
    return [f"{one.column.title}: {one.first.label} against {one.second.label}: {one.verdict}" for one in told[:most]]


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def _safe(text: str) -> str:
    for char in "\\|<>[]`*":
        text = text.replace(char, f"\\{char}" if char not in "<>" else {"<": "&lt;", ">": "&gt;"}[char])
    return text


def _pipes(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell if row is lines[1] else _safe(cell) for cell in row) + " |" for row in lines
    )
