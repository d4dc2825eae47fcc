"""Compute means over seeds with Student's t intervals, differences of two groups, and Holm's correction.

Student (1908), Biometrika 6, 1-25; Welch (1947), Biometrika 34, 28-35; Holm (1979), Scand. J. Statistics 6, 65-70.
"""

import math
import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

LEVEL = 0.95  # the confidence level of every interval
LEVEL_TEXT = f"{100 * LEVEL:g} %"


@dataclass(frozen=True)
class Summary:
    """The mean of n values.

    Attributes:
        n: the number of values.
        mean: the mean of the values; None if n is 0.
        sd: the standard deviation, computed with n - 1; None if n is less than 2.
        low: the lower end of the interval of the mean; None if n is less than 2.
        high: the upper end of the interval of the mean; None if n is less than 2.
    """

    n: int
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Difference:
    """The mean of a first group minus the mean of a second one.

    Attributes:
        kind: the test: "paired" by seed, or "Welch".
        n: the numbers of seeds of both groups; for a paired test, both are the number of pairs.
        mean: the difference of the means.
        low: the lower end of the interval of the difference; None if a group has a single seed.
        high: the upper end of the interval of the difference; None if a group has a single seed.
        p: the two-sided p value; None if a group has a single seed.
    """

    kind: str
    n: tuple[int, int]
    mean: float
    low: float | None = None
    high: float | None = None
    p: float | None = None


def summarize(values: Sequence[float]) -> Summary:
    """Return the summary of finite `values`."""
    n = len(values)
    if n == 0:
        return Summary(0)
    mean = _mean(values)
    if n == 1:
        return Summary(1, mean)
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * (sd / math.sqrt(n))
    return Summary(n, mean, sd, mean - half, mean + half)


def t_quantiles(count: int) -> list[float]:
    """Return Student's t quantiles for the intervals of means of 0, 1, …, `count` values; 0 for fewer than 2 values."""
    quantiles = [float(stdtrit(n - 1, (1 + LEVEL) / 2)) for n in range(2, count + 1)]
    return [0.0, 0.0, *quantiles]


def difference(first: Mapping[Hashable, float], second: Mapping[Hashable, float]) -> Difference:
    """Return the difference of two groups.

    The test is paired by seed if one group has all seeds of the other, and otherwise it is Welch's test, which allows
    unequal variances.

    Args:
        first: the value of each seed of the first group, at least one.
        second: the value of each seed of the second group, at least one.
    """
    shared = sorted(first.keys() & second.keys(), key=str)
    is_paired = len(shared) == min(len(first), len(second))
    if is_paired:
        a, b = [first[seed] for seed in shared], [second[seed] for seed in shared]
        differences = [x - y for x, y in zip(a, b, strict=True)]
        mean, has_spread = _mean(differences), len(set(differences)) > 1
    else:
        a, b = list(first.values()), list(second.values())
        mean, has_spread = _mean(a) - _mean(b), len(set(a)) > 1 or len(set(b)) > 1
    kind, sizes = "paired" if is_paired else "Welch", (len(a), len(b))
    if min(sizes) < 2:
        return Difference(kind, sizes, mean)
    if not has_spread:  # t would be infinite, or 0 / 0
        return Difference(kind, sizes, mean, mean, mean, p=float(mean == 0))
    return Difference(kind, sizes, mean, *_t_test(a, b, is_paired))


def _t_test(a: Sequence[float], b: Sequence[float], is_paired: bool) -> tuple[float, float, float]:
    """Return the lower and upper end of the interval of a difference, and the two-sided p value."""
    from scipy import stats  # slow to import, so imported only if groups are compared

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # about values that are equal except for the last digits
        test = stats.ttest_rel(a, b) if is_paired else stats.ttest_ind(a, b, equal_var=False)
    interval = test.confidence_interval(LEVEL)
    return float(interval.low), float(interval.high), float(test.pvalue)


def holm(ps: Sequence[float], total: int | None = None) -> list[float]:
    """Return Holm's adjusted p values in the order of `ps`.

    Args:
        ps: p values.
        total: the number of tests, if it is larger than the number of `ps`. The p values that are missing in
            `ps` are assumed to be larger than all p values in `ps`.
    """
    total = total or len(ps)
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, (total - rank) * ps[place]))
        adjusted[place] = highest
    return adjusted


def evenly(count: int, limit: int) -> list[int]:
    """Return at most `limit` (2 or more) evenly spread indices below `count`, including the first and the last."""
    if count <= limit:
        return list(range(count))
    return [round(i * (count - 1) / (limit - 1)) for i in range(limit)]


def _mean(values: Sequence[float]) -> float:
    """Return the mean, without a rounding error if all values are equal, so that their deviations are exactly 0."""
    return values[0] if len(set(values)) == 1 else math.fsum(values) / len(values)
