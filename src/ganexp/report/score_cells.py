"""The cells of the score table on the page: a mean, its interval, and a bar to compare it with the other rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from ganexp.report.formatting import MISSING, mean_and_half, typographic_minus
from ganexp.report.grouping import Configuration
from ganexp.report.report import Report
from ganexp.report.statistics import LEVEL_TEXT, Summary


@dataclass(frozen=True)
class BarScale:
    """The range of values that the bars of a column show."""

    low: float
    high: float

    def percent(self, value: float) -> float:
        """Return the position of `value` on the scale, from 0 to 100; values outside of the scale are clamped."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return 100 * min(1.0, max(0.0, share))


@dataclass(frozen=True)
class Bar:
    """The bar of a cell; all distances are in percent of the width of the cell.

    Attributes:
        mean: the distance of the mean from the left side.
        left: the distance of the interval from the left side; None if there is no interval.
        right: the distance of the interval from the right side; None if there is no interval.
    """

    mean: int
    left: int | None = None
    right: int | None = None


@dataclass(frozen=True)
class ScoreCell:
    """One score of a configuration.

    Attributes:
        text: the mean with half the width of its interval, or a dash if no run has the score.
        value: the number to sort by; None if no run has the score.
        bar: the bar; None if no run has the score.
        remark: the level of the interval and the standard deviation, or "one seed"; "" if no run has the score.
    """

    text: str
    value: float | None = None
    bar: Bar | None = None
    remark: str = ""


@dataclass(frozen=True)
class ScoreRow:
    """A configuration and its cells in the order of the report's columns."""

    configuration: Configuration
    cells: list[ScoreCell]


def score_rows(report: Report) -> list[ScoreRow]:
    """Return the rows of the table, one for each configuration."""
    scales = {column: _bar_scale([row.cells[column] for row in report.rows]) for column in report.columns}
    rows = []
    for row in report.rows:
        counted = len(row.configuration.counted)
        cells = [_cell(row.cells[column], counted, scale) for column, scale in scales.items()]
        rows.append(ScoreRow(row.configuration, cells))
    return rows


def _cell(summary: Summary, counted: int, scale: BarScale) -> ScoreCell:
    if summary.mean is None:
        return ScoreCell(MISSING)
    text = typographic_minus(mean_and_half(summary, counted))
    mean = round(scale.percent(summary.mean))
    if summary.sd is None or summary.low is None or summary.high is None:
        return ScoreCell(text, summary.mean, Bar(mean), "one seed")
    bar = Bar(mean, round(scale.percent(summary.low)), round(100 - scale.percent(summary.high)))
    return ScoreCell(text, summary.mean, bar, f"{LEVEL_TEXT} interval · sd {summary.sd:.2g}")


def _bar_scale(summaries: Sequence[Summary]) -> BarScale:
    """Return a scale that covers all intervals, unless they are much wider than the range of the means.

    On each side, the scale extends the range of the means by at most the width of this range.
    """
    means = [summary.mean for summary in summaries if summary.mean is not None]
    if not means:
        return BarScale(0.0, 1.0)
    ends = [end for summary in summaries for end in (summary.low, summary.high) if end is not None]
    lowest, highest = min(means), max(means)
    room = highest - lowest or abs(means[0]) or 1.0
    return BarScale(max(min([*means, *ends]), lowest - room), min(max([*means, *ends]), highest + room))
