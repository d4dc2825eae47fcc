"""Show the main numbers of a report on the terminal."""

from rich.table import Table
from rich.text import Text

from ganexp.report.formatting import mean_and_half
from ganexp.report.report import Report

MAX_ROWS = 20
MAX_VERDICTS = 6
LABEL_WIDTH = 36  # characters for the label and the number of runs
SCORE_WIDTH = 20  # characters for a score with its interval


def score_table(report: Report, width: int) -> Table:
    """Return the first groups with as many scores of the last evaluation as fit into `width` characters."""
    last = [column for column in report.columns if column.evaluation == "last"]
    shown = last[: max(1, (width - LABEL_WIDTH) // SCORE_WIDTH)]
    table = Table()
    table.add_column("group", overflow="fold", min_width=20)
    table.add_column("n", no_wrap=True)
    for column in shown:
        table.add_column(Text(column.title), overflow="fold", max_width=16)
    for row in report.rows[:MAX_ROWS]:
        counted = len(row.group.counted)
        scores = [mean_and_half(row.cells[column], counted) for column in shown]
        table.add_row(Text(row.group.label), f"{counted} of {len(row.group.runs)}", *scores)
    return table


def verdict_lines(report: Report) -> list[str]:
    """Return the first verdicts on the last evaluation, separable groups before the others."""
    last = [comparison for comparison in report.comparisons if comparison.column.evaluation == "last"]
    last.sort(key=lambda comparison: not comparison.is_separable)
    return [
        f"{comparison.column.title}: {comparison.first.label} against {comparison.second.label}: {comparison.verdict}"
        for comparison in last[:MAX_VERDICTS]
    ]
