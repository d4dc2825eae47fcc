"""Compute means over seeds with Student's t intervals, differences of two groups, and Holm's correction.

Student (1908), Biometrika 6, 1-25; Welch (1947), Biometrika 34, 28-35; Holm (1979), Scand. J. Statistics 6, 65-70.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

LEVEL = 0.95  # the confidence level of every interval


@dataclass(frozen=True)
class Summary:
    """The mean of n values.

    Attributes:
        n: how many values.
        mean: None if n is 0.
        sd: the standard deviation, computed with n - 1; None if n is less than 2.
        low: the lower end of the interval of the mean; None if n is less than 2.
        high: its upper end.
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
        n: the number of seeds of either group; of a paired test, the number of pairs, twice.
        mean: the difference.
        low: the lower end of its interval; None if a group has a single seed.
        high: the upper end.
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
    mean = math.fsum(values) / n
    if n == 1:
        return Summary(1, mean)
    sd = math.sqrt(_variance(values, mean))
    half = half_width(sd / math.sqrt(n), n - 1)
    return Summary(n, mean, sd, mean - half, mean + half)


def half_width(error: float, freedom: float) -> float:
    """Return half of the width of an estimate's interval.

    Args:
        error: the standard error of the estimate.
        freedom: the degrees of freedom.
    """
    return float(stdtrit(freedom, (1 + LEVEL) / 2)) * error


def difference(first: Mapping[Hashable, float], second: Mapping[Hashable, float]) -> Difference:
    """Return the difference of two groups.

    It is paired by seed if all seeds of one group are among the other's, and otherwise Welch's for unequal variances.

    Args:
        first: values by seed, at least one.
        second: values by seed, at least one.
    """
    shared = sorted(first.keys() & second.keys(), key=str)
    if len(shared) == min(len(first), len(second)):
        return _paired([first[seed] - second[seed] for seed in shared])
    return _welch(summarize(list(first.values())), summarize(list(second.values())))


def _paired(differences: Sequence[float]) -> Difference:
    pairs = summarize(differences)
    sizes = (pairs.n, pairs.n)
    if pairs.n < 2:
        return Difference("paired", sizes, pairs.mean)
    p = _p(pairs.mean, pairs.sd / math.sqrt(pairs.n), pairs.n - 1)
    return Difference("paired", sizes, pairs.mean, pairs.low, pairs.high, p)


def _welch(a: Summary, b: Summary) -> Difference:
    mean, sizes = a.mean - b.mean, (a.n, b.n)
    if min(sizes) < 2:
        return Difference("Welch", sizes, mean)
    va, vb = a.sd**2 / a.n, b.sd**2 / b.n
    spread = va**2 / (a.n - 1) + vb**2 / (b.n - 1)
    freedom = (va + vb) ** 2 / spread if spread > 0 else a.n + b.n - 2
    error = math.sqrt(va + vb)
    half = half_width(error, freedom)
    return Difference("Welch", sizes, mean, mean - half, mean + half, _p(mean, error, freedom))


def holm(ps: Sequence[float], total: int | None = None) -> list[float]:
    """Return Holm's adjusted p values in the order of `ps`.

    Args:
        ps: p values.
        total: how many tests were made, if more than `ps` has; the missing p values are taken to be larger than these.
    """
    total = total or len(ps)
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, (total - rank) * ps[place]))
        adjusted[place] = highest
    return adjusted


def evenly(count: int, limit: int) -> list[int]:
    """Return at most `limit` (2 or more) of `count` indices, evenly spread, the first and the last among them."""
    if count <= limit:
        return list(range(count))
    return [round(i * (count - 1) / (limit - 1)) for i in range(limit)]


def _variance(values: Sequence[float], mean: float) -> float:
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _p(mean: float, error: float, freedom: float) -> float:
    if error == 0:
        return float(mean == 0)
    return 2 * float(stdtr(freedom, -abs(mean) / error))
