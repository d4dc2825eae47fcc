"""Compare configurations of runs in pairs, and test whether the number of seeds is sufficient to separate them."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

from ganexp.report.columns import BEST, LAST, Column
from ganexp.report.grouping import Configuration
from ganexp.report.statistics import Difference, difference, holm, summarize

MAX_ALL_PAIRS = 12  # with more configurations, not every pair is compared
SIGNIFICANCE = 0.05


@dataclass
class Comparison:
    """The comparison of two configurations by one score.

    Attributes:
        column: the column of the score.
        first: the first configuration.
        second: the second configuration.
        difference: the scores of `first` minus the scores of `second`.
        pairs: the number of pairs of configurations that have enough seeds to be tested by this score. Pairs whose test
            belongs to another column are not counted.
        tests: the number of tests for which p is corrected: the sum of `pairs` over all scores that are corrected
            together.
        p: Holm's adjusted p value; None if a configuration has a single seed.
    """

    column: Column
    first: Configuration
    second: Configuration
    difference: Difference
    pairs: int
    tests: int = 1
    p: float | None = None

    @property
    def is_separable(self) -> bool:
        """Return whether the test is significant, and every seed of each favoured configuration has a score."""
        return self.is_significant and not self._doubts

    @property
    def is_significant(self) -> bool:
        """Return whether the interval excludes zero and the corrected p value is below SIGNIFICANCE."""
        return self._excludes_zero and self.p is not None and self.p < SIGNIFICANCE

    @property
    def better(self) -> Configuration | None:
        """Return the configuration that the test shows to be better.

        Return None if the two are not separable, or if it is not known which direction of the score is better.
        """
        favoured = list(self._favoured.values())
        return favoured[0] if self.is_separable and len(favoured) == 1 else None

    @property
    def _favoured(self) -> dict[str, Configuration]:
        """Return the better configuration by its name, `first` or `second`; both if it is unknown which is better."""
        both = {"first": self.first, "second": self.second}
        higher_is_better = self.column.info.higher_is_better
        if higher_is_better is None:
            return both
        place = "first" if (self.difference.mean > 0) == higher_is_better else "second"
        return {place: both[place]}

    @property
    def _doubts(self) -> str:
        """Return how many seeds of the favoured configurations lack a score, as text; "" if none do."""
        doubts = {place: self.column.doubts(configuration) for place, configuration in self._favoured.items()}
        return " and ".join(f"of {place}, {text}" for place, text in doubts.items() if text)

    @property
    def _excludes_zero(self) -> bool:
        low, high = self.difference.low, self.difference.high
        return low is not None and high is not None and not low <= 0 <= high

    @property
    def verdict(self) -> str:
        """Return the result as text; if the better direction is unknown, only whether `first` is higher or lower."""
        if not self.is_significant:
            correction = f" (Holm, {self.tests} comparisons)" if self._excludes_zero else ""
            return f"not separable at {self._sample_sizes}{correction}"
        if self._doubts:
            return f"no verdict: {self._doubts}"
        if self.column.info.higher_is_better is None:
            return "first is higher" if self.difference.mean > 0 else "first is lower"
        (place,) = self._favoured
        return f"{place} is better"

    @property
    def _sample_sizes(self) -> str:
        first, second = self.difference.n
        return f"n={first}" if first == second else f"n={first} and {second}"


@dataclass(frozen=True)
class _Scored:
    """A configuration that has at least one score, and its scores.

    Attributes:
        configuration: the configuration.
        scores: the score of each seed.
        is_last: whether these scores are from the best evaluation and are equal to those of the last evaluation.
    """

    configuration: Configuration
    scores: dict[Hashable, float]
    is_last: bool = False

    @property
    def mean(self) -> float:
        mean = summarize(list(self.scores.values())).mean
        assert mean is not None  # there is a score
        return mean


def compare(
    configurations: Sequence[Configuration], columns: Sequence[Column], declared: Column | None = None
) -> list[Comparison]:
    """Return the comparisons of `configurations` by each of `columns`.

    All pairs of configurations are compared. If there are more than MAX_ALL_PAIRS configurations, each one is compared
    only with the best one. This is the configuration with the best mean (the lowest mean if the direction is unknown)
    among those with at least two seeds, or among all if none has two seeds. If the last checkpoint of every run of two
    configurations is also the run's best checkpoint, the two are compared only by the last evaluation.

    p is corrected for all pairs of configurations that have enough seeds for a test. Pairs that are not compared are
    included, because the best configuration was chosen by its score. p is also corrected for the number of scores:
    without this correction, on average one of twenty scores would seem to differ, even if none did. If the main score
    was declared before the training, its tests are corrected separately, as is customary for the primary outcome of a
    study.

    Args:
        configurations: the configurations.
        columns: the columns.
        declared: the column of the declared main score; None if there is none.
    """
    by_column = [_compare_by(column, configurations, _last_of(column, columns)) for column in columns]
    _correct([found for column, found in zip(columns, by_column, strict=True) if column == declared])
    _correct([found for column, found in zip(columns, by_column, strict=True) if column != declared])
    return list(chain.from_iterable(by_column))


def _correct(family: Sequence[Sequence[Comparison]]) -> None:
    """Set the corrected p values of a family of comparisons; `family` has a list of comparisons for each score."""
    tests = sum(found[0].pairs for found in family if found)
    comparisons = list(chain.from_iterable(family))
    testable = [(comparison, p) for comparison in comparisons if (p := comparison.difference.p) is not None]
    adjusted = holm([p for _, p in testable], tests)
    for comparison in comparisons:
        comparison.tests = tests
    for (comparison, _), p in zip(testable, adjusted, strict=True):
        comparison.p = p


def _last_of(column: Column, columns: Sequence[Column]) -> Column | None:
    """Return the column of the same score at the last evaluation; None if `column` is not of the best evaluation."""
    if column.evaluation != BEST:
        return None
    wanted = (column.score, column.protocol, LAST)
    return next((other for other in columns if (other.score, other.protocol, other.evaluation) == wanted), None)


def _compare_by(column: Column, configurations: Sequence[Configuration], last: Column | None) -> list[Comparison]:
    """Return the comparisons by `column`, without the pairs whose values are equal to those in the column `last`."""
    scored = []
    for configuration in configurations:
        scores = column.values(configuration)
        if scores:
            scored.append(
                _Scored(configuration, scores, is_last=last is not None and last.values(configuration) == scores)
            )
    testable = [each for each in scored if len(each.scores) > 1]
    pairs = math.comb(len(testable), 2) - math.comb(sum(each.is_last for each in testable), 2)
    return [
        Comparison(column, first.configuration, second.configuration, difference(first.scores, second.scores), pairs)
        for first, second in _choose_pairs(column, scored)
        if not (first.is_last and second.is_last)
    ]


def _choose_pairs(column: Column, scored: Sequence[_Scored]) -> list[tuple[_Scored, _Scored]]:
    if len(scored) <= MAX_ALL_PAIRS:
        return list(combinations(scored, 2))
    choose = max if column.info.higher_is_better else min
    testable = [each for each in scored if len(each.scores) > 1]
    best = choose(testable or scored, key=lambda configuration: configuration.mean)
    return [(best, other) for other in scored if other is not best]
