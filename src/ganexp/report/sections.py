"""The parts of the page that compare: protocols, scores, comparisons, uncounted runs, sample grids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ganexp.report.columns import Column
from ganexp.report.formatting import MISSING, difference_texts, number, own_sample_size, typographic_minus
from ganexp.report.html import (
    cell,
    element,
    note,
    number_cell,
    row_head,
    scroll_box,
    setting_cell,
    sort_head,
    sortable_table,
    text,
    void_element,
)
from ganexp.report.report import BEST_ONLY_TEXT, UNKNOWN_PROTOCOL_TEXT, ProtocolNote, Report, Row
from ganexp.report.samples import Grid, Moment, Samples
from ganexp.report.settings import setting_name
from ganexp.report.statistics import Summary

PROTOCOLS_CAPTION = (
    "These runs were scored under several protocols. Scores with different letters are measured differently and are "
    "never compared. The protocols differ in:"
)


@dataclass(frozen=True)
class BarScale:
    """The range of values that the bars of a column show."""

    low: float
    high: float

    def percent(self, value: float) -> float:
        """Return the place of `value` on the scale, from 0 to 100; values beyond an end are put at that end."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return 100 * min(1.0, max(0.0, share))


def protocol_table(report: Report) -> str:
    """Return a table of how the protocols differ; a remark if none is recorded; nothing if all runs share one."""
    notes = report.protocol_notes()
    if not notes:
        return element("p", text(UNKNOWN_PROTOCOL_TEXT)) if report.protocol_is_unknown else ""
    table = element("table", element("caption", text(PROTOCOLS_CAPTION)), element("tbody", *map(_protocol_row, notes)))
    return scroll_box(table, "Protocols")


def _protocol_row(protocol: ProtocolNote) -> str:
    values = "; ".join(f"{key} = {value}" for key, value in protocol.values.items())
    return element("tr", row_head(f"[{protocol.letter}]"), cell(values))


def score_table(report: Report) -> str:
    """Return the table of scores, a row for each group."""
    heads = [sort_head("configuration"), sort_head("seeds")]
    heads += [_score_head(column) for column in report.columns]
    heads += [sort_head(setting_name(key)) for key in report.settings]
    scales = {column: _bar_scale([row.cells[column] for row in report.rows]) for column in report.columns}
    rows = [_score_row(row, scales, report.settings) for row in report.rows]
    return sortable_table("scores", "Scores over seeds, a row for each configuration", heads, rows)


def _score_head(column: Column) -> str:
    direction = column.info.direction
    return sort_head(column.title, f"{direction} is better" if direction else "")


def _score_row(row: Row, scales: dict[Column, BarScale], settings: Sequence[str]) -> str:
    group, counted = row.group, len(row.group.counted)
    left_out = "" if counted == len(group.runs) else " " + note(f"of {len(group.runs)}")
    return element(
        "tr",
        row_head(group.label, *map(note, group.warnings)),
        number_cell(str(counted), counted, left_out),
        *(_score_cell(row.cells[column], counted, scale) for column, scale in scales.items()),
        *(setting_cell(key, group.settings.get(key)) for key in settings),
    )


def _score_cell(summary: Summary, counted: int, scale: BarScale) -> str:
    if summary.n == 0:
        return number_cell(MISSING)
    mean = typographic_minus(number(summary.mean)) + own_sample_size(summary, counted)
    marker = element("i", style=f"left:{scale.percent(summary.mean):.0f}%")
    if summary.sd is None:
        interval, remark = "", "one seed"
    else:
        left, right = scale.percent(summary.low), 100 - scale.percent(summary.high)
        interval = element("b", style=f"left:{left:.0f}%;right:{right:.0f}%")
        remark = typographic_minus(f"sd {summary.sd:.2g} · {number(summary.low)} … {number(summary.high)}")
    bar = element("span", interval, marker, class_="bar", aria_hidden="true")
    return number_cell(mean, summary.mean, bar, note(remark))


def _bar_scale(summaries: Sequence[Summary]) -> BarScale:
    """Return a scale that holds all intervals, unless they are much wider than the means lie apart.

    Beyond the means, it leaves at most as much room on either side as lies between the means.
    """
    means = [summary.mean for summary in summaries if summary.n]
    if not means:
        return BarScale(0.0, 1.0)
    ends = [end for summary in summaries if summary.sd is not None for end in (summary.low, summary.high)]
    lowest, highest = min(means), max(means)
    room = highest - lowest or abs(means[0]) or 1.0
    return BarScale(max(min([*means, *ends]), lowest - room), min(max([*means, *ends]), highest + room))


def comparison_table(report: Report) -> str:
    """Return the table of comparisons."""
    if not report.comparisons:
        return element("p", "Only one configuration has scores: there is nothing to compare it with.")
    names = ("score", "first", "second", "verdict", "first − second", "95 % interval", "p (Holm)", "test")
    rows = []
    for comparison in report.comparisons:
        texts, difference = difference_texts(comparison), comparison.difference
        row = element(
            "tr",
            row_head(comparison.column.title),
            cell(comparison.first.label),
            cell(comparison.second.label),
            element("td", text(comparison.verdict), class_="yes" if comparison.is_separable else "no"),
            number_cell(typographic_minus(texts.mean), difference.mean),
            number_cell(typographic_minus(texts.interval), difference.low),
            number_cell(typographic_minus(texts.p), comparison.p),
            cell(difference.kind),
        )
        rows.append(row)
    remark = element("p", text(BEST_ONLY_TEXT)) if report.lacks_pairs else ""
    return remark + sortable_table("comparisons", "Differences between two configurations", _heads(names), rows)


def uncounted_table(report: Report) -> str:
    """Return the table of the runs that enter no mean; nothing if all do."""
    if not report.uncounted:
        return ""
    rows = [
        element("tr", row_head(run.label), cell(run.status), cell("; ".join(run.warnings))) for run in report.uncounted
    ]
    caption = "Runs that enter no mean"
    return element("h3", caption) + sortable_table("uncounted", caption, _heads(("run", "status", "why")), rows)


def _heads(names: Iterable[str]) -> list[str]:
    return [sort_head(name) for name in names]


def sample_grids(samples: Samples | None) -> str:
    """Return the sample grids, of which the page shows one moment at a time.

    Args:
        samples: None if the report was asked for without images.
    """
    if samples is None:
        return element("p", "Left out because of ", element("code", "images=false"), ".")
    if not samples.moments:
        return element("p", "These runs have no sample grids.")
    first = samples.first
    options = [element("option", text(moment.title), selected=moment is first) for moment in samples.moments]
    select = element("label", "At ", element("select", *options, id="moment"))
    position, last = samples.moments.index(first), len(samples.moments) - 1
    slider = void_element("input", id="moment-slider", type="range", min=0, max=last, value=position)
    controls = element("div", select, element("label", "Step through ", slider, class_="wide"), class_="controls")
    grids = [_moment(place, moment, moment is first) for place, moment in enumerate(samples.moments)]
    left_out = f"Left out, to keep the page small: {samples.left_out}."
    return controls + "".join(grids) + (element("p", text(left_out)) if samples.left_out else "")


def _moment(place: int, moment: Moment, is_shown: bool) -> str:
    figures = [_figure(grid, moment.title) for grid in moment.grids]
    return element("div", *figures, class_="grids", data_moment=place, hidden=not is_shown)


def _figure(grid: Grid, moment: str) -> str:
    if grid.uri is None:
        image = element("div", "no samples at this step", class_="none")
    else:
        image = void_element("img", src=grid.uri, alt=f"samples of {grid.label}, {moment}")
    return element("figure", image, element("figcaption", text(grid.label)))
