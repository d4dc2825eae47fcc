"""Pairs of precision and recall for the scatter plots of the page, one point for each run that counts."""

from typing import Any

from ganexp.report.columns import Column, with_letter
from ganexp.report.report import Report

PRECISION, RECALL = "precision_", "recall_"  # how scores' names begin; the extractor and the split follow


def precision_recall(report: Report) -> list[dict[str, Any]]:
    """Return the scatter plots that a report offers, first those with the scores of `ganexp evaluate`.

    title   the extractor, the split (unless it is the split of the first reference), and the evaluation
    points  configuration (its index in the report), label, recall and precision of each run that counts
    """
    columns = {(column.score, column.evaluation, column.protocol): column for column in report.unselected}
    scatters = []
    for column in sorted(report.unselected, key=lambda column: not column.is_evaluated):
        name = column.score.removeprefix(PRECISION)
        recall = columns.get((RECALL + name, column.evaluation, column.protocol))
        if column.score.startswith(PRECISION) and recall and (points := _points(report, column, recall)):
            scatters.append({"title": f"{with_letter(name, column.letter)}, {column.evaluation}", "points": points})
    return scatters


def _points(report: Report, precision: Column, recall: Column) -> list[dict[str, Any]]:
    points = []
    for index, configuration in enumerate(report.configurations):
        x, y = recall.values(configuration), precision.values(configuration)
        points += [
            {"configuration": index, "label": run.label, "recall": x[run.seed], "precision": y[run.seed]}
            for run in configuration.counted
            if run.seed in x and run.seed in y
        ]
    return points
