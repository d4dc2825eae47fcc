"""Write the scores of a report as a LaTeX table with booktabs."""

from collections.abc import Sequence

from ganexp.report.columns import Column
from ganexp.report.formatting import MISSING, number, own_sample_size
from ganexp.report.report import Report
from ganexp.report.statistics import LEVEL, Summary

ESCAPES = {ord(char): f"\\{char}" for char in "&%$#_{}"} | {
    ord("\\"): r"\textbackslash{}",
    ord("~"): r"\textasciitilde{}",
    ord("^"): r"\textasciicircum{}",
    ord("<"): r"\textless{}",
    ord(">"): r"\textgreater{}",
    ord("|"): r"\textbar{}",
}
ARROWS = {"lower": r" $\downarrow$", "higher": r" $\uparrow$", "": ""}
HEAD = f"""% Mean and half of the {100 * LEVEL:g} % interval over n seeds (Student's t). The best mean of a column is
% bold, which does not say that it is significantly better: see the comparisons. Needs \\usepackage{{booktabs}}.
"""


def as_latex(report: Report) -> str:
    """Return the scores of `ganexp evaluate` or of the last evaluation, a row for each group, the best mean in bold."""
    columns = report.unselected
    heads = ["configuration", "$n$", *(_head(column) for column in columns)]
    bold = {column: _best_mean(report, column) for column in columns}
    lines = []
    for row in report.rows:
        counted = len(row.group.counted)
        cells = [_cell(row.cells[column], counted, bold[column]) for column in columns]
        lines.append(_line([_escape(row.group.label), str(counted), *cells]))
    parts = [rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule", _line(heads), r"\midrule", *lines]
    return HEAD + "\n".join([*parts, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _head(column: Column) -> str:
    return _escape(column.title) + ARROWS[column.info.direction]


def _best_mean(report: Report, column: Column) -> float | None:
    """Return the best mean of a column; None if its direction is unknown, or if no other mean exists."""
    means = [mean for row in report.rows if (mean := row.cells[column].mean) is not None]
    if column.info.higher_is_better is None or len(means) < 2:
        return None
    return max(means) if column.info.higher_is_better else min(means)


def _cell(summary: Summary, counted: int, best: float | None) -> str:
    if summary.mean is None:
        return MISSING.replace("–", "--")
    mean = number(summary.mean)
    shown = rf"\mathbf{{{mean}}}" if summary.mean == best else mean
    half = "" if summary.high is None else rf" \pm {summary.high - summary.mean:.2g}"
    return f"${shown}{half}${own_sample_size(summary, counted)}"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _escape(text: str) -> str:
    return text.translate(ESCAPES)
