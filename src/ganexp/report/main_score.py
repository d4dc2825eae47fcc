"""Find the score by which a report ranks configurations: the one that chose the best checkpoints."""

from collections import Counter
from collections.abc import Sequence

from ganexp.report.columns import BEST, Column
from ganexp.report.grouping import Configuration
from ganexp.report.run import Run
from ganexp.report.score_info import ScoreInfo


def main_score_first(runs: Sequence[Run], score_info: dict[str, ScoreInfo]) -> dict[str, ScoreInfo]:
    """Return `score_info` with the main score first.

    The main score is the one that `metrics.best_by` names in most runs. If no run has the score that
    its `metrics.best_by` names, the main score is the first one whose better direction is known.
    """
    directed = [name for name, info in score_info.items() if info.higher_is_better is not None]
    chosen = Counter(name for run in runs if (name := run.chosen_by(directed)))
    main = chosen.most_common(1)[0][0] if chosen else next(iter(directed), None)
    return score_info if main is None else {main: score_info[main]} | score_info


def is_declared(score: str, runs: Sequence[Run], score_info: dict[str, ScoreInfo]) -> bool:
    """Return whether `metrics.best_by` of every run names `score`, and so declares it as the main score."""
    directed = [name for name, info in score_info.items() if info.higher_is_better is not None]
    return {run.chosen_by(directed) for run in runs} == {score}


def main_column(
    columns: Sequence[Column], configurations: Sequence[Configuration], score_info: dict[str, ScoreInfo]
) -> Column | None:
    """Return the column by which to rank configurations; None if all columns are of the best evaluation.

    The best evaluation is not used, because it was chosen by its score. The column has the first score of `score_info`,
    or another score if there is no such column. Of several columns, the one that most configurations have is returned,
    and of these, the one that most runs have.
    """
    unselected = [column for column in columns if column.evaluation != BEST]
    main = next(iter(score_info), None)
    candidates = [column for column in unselected if column.score == main] or unselected
    return max(candidates, key=lambda column: column.coverage(configurations), default=None)


def sort_by_score(configurations: Sequence[Configuration], column: Column | None) -> list[Configuration]:
    """Return `configurations` sorted by their mean in `column`, best first (lowest first if the direction is unknown).

    Configurations without this score are last.
    """
    if column is None:
        return list(configurations)

    def place(configuration: Configuration) -> tuple[bool, float]:
        values = list(column.values(configuration).values())
        mean = sum(values) / len(values) if values else 0.0
        return not values, -mean if column.info.higher_is_better else mean

    return sorted(configurations, key=place)


def best_run(configuration: Configuration, column: Column) -> Run | None:
    """Return the counted run of `configuration` with the best score in `column`; None if there is no score."""
    values = column.values(configuration)
    if not values:
        return None
    choose = max if column.info.higher_is_better else min
    seed = choose(values, key=values.__getitem__)
    return next(run for run in configuration.counted if run.seed == seed)
