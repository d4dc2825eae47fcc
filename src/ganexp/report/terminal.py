"""Show the main numbers of a report on the terminal."""

from rich.table import Table
from rich.text import Text

from ganexp.report.columns import BEST, Column
from ganexp.report.formatting import mean_and_half
from ganexp.report.report import Report
from ganexp.report.statistics import LEVEL_TEXT

MAX_ROWS = 20
MAX_VERDICTS = 6
LABEL_WIDTH = 36  # characters for the label and the number of runs
SCORE_WIDTH = 20  # characters for a score with its interval
MAX_WIDTH = 140  # characters of a table, also in a file or pipe, whose lines have no limit


def score_table(report: Report, width: int) -> Table:
    """Return a table of the first configurations, with as many scores as fit into `width` characters.

    The scores are those of `ganexp evaluate` or of the last evaluation.
    """
    shown = _shown_columns(report, width)
    caption = f"mean over seeds ± half of its {LEVEL_TEXT} interval"
    table = Table("configuration", "seeds", caption=caption, caption_justify="left")
    for column in shown:
        table.add_column(Text(column.title))
    for row in report.rows[:MAX_ROWS]:
        counted = len(row.group.counted)
        scores = [mean_and_half(row.cells[column], counted) for column in shown]
        table.add_row(Text(row.group.label), f"{counted} of {len(row.group.runs)}", *scores)
    return table


def left_out(report: Report, width: int) -> str:
    """Return the numbers of scores and configurations that `score_table` leaves out, as text; empty if it shows all."""
    scores = len(report.unselected) - len(_shown_columns(report, width))
    groups = len(report.rows[MAX_ROWS:])
    counts = [
        f"{count} more {name}{'s' * (count > 1)}"
        for count, name in ((scores, "score"), (groups, "configuration"))
        if count
    ]
    return f"{' and '.join(counts)} in the files below" if counts else ""


def _shown_columns(report: Report, width: int) -> list[Column]:
    return report.unselected[: max(1, (min(width, MAX_WIDTH) - LABEL_WIDTH) // SCORE_WIDTH)]


def verdict_lines(report: Report) -> list[str]:
    """Return the first verdicts on the scores of `score_table`, starting with separable configurations.

    Further ones are one line, and so are those without enough seeds for a test.
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
