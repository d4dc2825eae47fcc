"""Write the scores of a report as a LaTeX table with booktabs."""

from collections.abc import Sequence

from ganexp.report.columns import Column
from ganexp.report.formatting import MISSING, mean_and_half_texts, own_sample_size
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
HEAD = """% The best mean of a column is bold, even if it is not significantly better: see the comparisons.
% No mean is bold if seeds of the configuration with the best mean ended early or lack a finite score.
% The table needs \\usepackage{booktabs}.
"""
NOTE = rf"{{l}}{{\footnotesize Mean $\pm$ half of its {100 * LEVEL:g}\,\% interval over $n$ seeds (Student's $t$).}}"


def as_latex(report: Report) -> str:
    """Return a table of the scores of `ganexp evaluate` or of the last evaluation, with a row for each configuration.

    The best mean of a column is bold, unless seeds of its configuration ended early or lack a finite score.
    """
    columns = report.unselected
    heads = ["configuration", "$n$", *(_head(column) for column in columns)]
    bold = {column: _best_mean(report, column) for column in columns}
    lines = []
    for row in report.rows:
        counted = len(row.configuration.counted)
        cells = [_cell(row.cells[column], counted, bold[column]) for column in columns]
        lines.append(_line([_escape(row.configuration.label), str(counted), *cells]))
    parts = [rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule", _line(heads), r"\midrule", *lines]
    note = _line([rf"\multicolumn{{{len(heads)}}}{NOTE}"])
    return HEAD + "\n".join([*parts, r"\bottomrule", note, r"\end{tabular}"]) + "\n"


def _head(column: Column) -> str:
    return _escape(column.title) + ARROWS[column.info.direction]


def _best_mean(report: Report, column: Column) -> float | None:
    """Return the mean that a column shows in bold.

    Return None if the better direction is unknown, if fewer than two means exist, or if a configuration with the best
    mean has seeds without a score.
    """
    means = [mean for row in report.rows if (mean := row.cells[column].mean) is not None]
    if column.info.higher_is_better is None or len(means) < 2:
        return None
    best = (max if column.info.higher_is_better else min)(means)
    doubtful = any(column.doubts(row.configuration) for row in report.rows if row.cells[column].mean == best)
    return None if doubtful else best


def _cell(summary: Summary, counted: int, best: float | None) -> str:
    if summary.mean is None:
        return MISSING.replace("–", "--")
    mean, half = mean_and_half_texts(summary)
    shown = rf"\mathbf{{{mean}}}" if summary.mean == best else mean
    spread = rf" \pm {half}" if half else ""
    return f"${shown}{spread}${own_sample_size(summary, counted)}"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _escape(text: str) -> str:
    return text.translate(ESCAPES)
