"""Show the main numbers of a report on the terminal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.table import Table
from rich.text import Text

from ganexp.report.columns import BEST, Column
from ganexp.report.formatting import mean_and_half
from ganexp.report.report import Report, Row
from ganexp.report.statistics import LEVEL_TEXT

MAX_ROWS = 20
MAX_VERDICTS = 6
MIN_LABEL = 28  # characters; longer labels have at least this much room
MAX_WIDTH = 140  # characters; columns of scores beyond this width are not shown, not even in a file or pipe
BORDER = 3  # characters beside the content of a column: the line and a space on both sides


def score_table(report: Report, width: int) -> Table:
    """Return a table of the first configurations, with as many scores as fit into `width` characters.

    The scores are those of `ganexp evaluate` or of the last evaluation. If labels are cut, the rows are numbered.
    """
    rows = report.rows[:MAX_ROWS]
    shown, room = _layout(report, width)
    is_cut = bool(label_lines(report, width))
    caption = f"mean over seeds ± half of its {LEVEL_TEXT} interval"
    table = Table(*(["#"] if is_cut else []), "configuration", "seeds", caption=caption, caption_justify="left")
    for column in shown:
        table.add_column(Text(_heading(column)))
    for number, row in enumerate(rows, start=1):
        label = Text(row.configuration.label)
        if is_cut:
            label.truncate(room - len(str(len(rows))) - BORDER, overflow="ellipsis")
        table.add_row(*([str(number)] if is_cut else []), label, _seeds(row), *_scores(row, shown))
    return table


def label_lines(report: Report, width: int) -> list[str]:
    """Return a line with the number and the label of each row if `score_table` cuts labels, otherwise no lines."""
    labels = [row.configuration.label for row in report.rows[:MAX_ROWS]]
    _, room = _layout(report, width)
    is_cut = any(len(label) > room for label in labels)
    return [f"#{number} {label}" for number, label in enumerate(labels, start=1)] if is_cut else []


@contextmanager
def numbered(report: Report) -> Iterator[None]:
    """Replace the labels of the configurations in `score_table` by row numbers until the block ends."""
    configurations = report.configurations[:MAX_ROWS]
    labels = [configuration.label for configuration in configurations]
    for number, configuration in enumerate(configurations, start=1):
        configuration.label = f"#{number}"
    try:
        yield
    finally:
        for configuration, label in zip(configurations, labels, strict=True):
            configuration.label = label


def left_out(report: Report, width: int) -> str:
    """Return the numbers of scores and configurations that `score_table` leaves out, as text; empty if it shows all."""
    scores = len(report.unselected) - len(_layout(report, width)[0])
    configurations = len(report.rows[MAX_ROWS:])
    counts = [
        f"{count} more {name}{'s' * (count > 1)}"
        for count, name in ((scores, "score"), (configurations, "configuration"))
        if count
    ]
    return f"{' and '.join(counts)} in the files below" if counts else ""


def _layout(report: Report, width: int) -> tuple[list[Column], int]:
    """Return as many scores as fit into `width`, but at least one, and the width that is left for the labels."""
    rows = report.rows[:MAX_ROWS]
    longest = max((len(row.configuration.label) for row in rows), default=0)
    used = 1 + BORDER + BORDER + max([len("seeds"), *(len(_seeds(row)) for row in rows)])
    shown: list[Column] = []
    for column in sorted(report.unselected, key=lambda column: column.coverage(report.configurations), reverse=True):
        cells = [_scores(row, [column])[0] for row in rows]
        needed = BORDER + max(map(len, [*_heading(column).split("\n"), *cells]))
        if shown and min(width, MAX_WIDTH) - used - needed < min(longest, MIN_LABEL):
            break
        shown.append(column)
        used += needed
    return shown, max(width - used, MIN_LABEL)


def _heading(column: Column) -> str:
    """Return the title of a column in two lines."""
    return column.title.removesuffix(f" {column.evaluation}") + f"\n{column.evaluation}"


def _seeds(row: Row) -> str:
    return f"{len(row.configuration.counted)} of {len(row.configuration.seeds)}"


def _scores(row: Row, columns: Sequence[Column]) -> list[str]:
    return [mean_and_half(row.cells[column], len(row.configuration.counted)) for column in columns]


def verdict_lines(report: Report) -> list[str]:
    """Return the first verdicts on the scores of `score_table`, starting with separable configurations.

    One line counts the verdicts that are left out. Another line counts the comparisons without enough seeds for a test.
    """
    shown = [comparison for comparison in report.tested if comparison.column.evaluation != BEST]
    shown.sort(key=lambda comparison: not comparison.is_separable)
    lines = [
        f"{comparison.column.title}: {comparison.first.label} against {comparison.second.label}: {comparison.verdict}"
        for comparison in shown[:MAX_VERDICTS]
    ]
    if further := shown[MAX_VERDICTS:]:
        separable = sum(comparison.is_separable for comparison in further)
        lines.append(f"further comparisons in the files below: {len(further)}, of which {separable} are separable")
    return [*lines, *filter(None, [report.untested_text])]
