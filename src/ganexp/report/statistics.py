"""Means over seeds with Student's t intervals, differences of two settings, and Holm's correction.

Student (1908), Biometrika 6, 1-25; Welch (1947), Biometrika 34, 28-35; Holm (1979), Scand. J. Statistics 6, 65-70.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

LEVEL = 0.95  # of every interval


@dataclass(frozen=True)
class Summary:
    """Values of n seeds: the mean, the standard deviation (n - 1), the interval. None what n does not give."""

    n: int
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Difference:
    """First minus second: the mean, its interval, the two-sided p. None what n does not give.

    kind: "paired" by seed, or "Welch". n: seeds of the first and of the second; those of the pairs, where paired.
    """

    kind: str
    n: tuple[int, int]
    mean: float
    low: float | None = None
    high: float | None = None
    p: float | None = None


def summarize(values: Sequence[float]) -> Summary:
    """Summary of finite `values`, one a seed."""
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
    """Half of the interval of an estimate with standard `error` and so many degrees of `freedom`."""
    return float(stdtrit(freedom, (1 + LEVEL) / 2)) * error


def difference(first: Mapping[Hashable, float], second: Mapping[Hashable, float]) -> Difference:
    """First minus second, given as {seed: value} with at least one seed each.

    Paired where the seeds of one are all among the other's, over those; else Welch's for unequal variances.
    """
    shared = sorted(first.keys() & second.keys(), key=str)
    if len(shared) == min(len(first), len(second)):
        one = summarize([first[seed] - second[seed] for seed in shared])
        if one.n < 2:
            return Difference("paired", (one.n, one.n), one.mean)
        error = one.sd / math.sqrt(one.n)
        return Difference("paired", (one.n, one.n), one.mean, one.low, one.high, _p(one.mean, error, one.n - 1))
    a, b = summarize(list(first.values())), summarize(list(second.values()))
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
    """Holm's adjusted p values, in the order given.

    With `total`, as the smallest that they can be among so many: the ones left out count as larger than these.
    """
    total = total or len(ps)
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, (total - rank) * ps[place]))
        adjusted[place] = highest
    return adjusted


def evenly(count: int, limit: int) -> list[int]:
    """At most `limit` >= 2 indices of `count` things, evenly spread, first and last among them."""
    if count <= limit:
        return list(range(count))
    return [round(i * (count - 1) / (limit - 1)) for i in range(limit)]


def _variance(values: Sequence[float], mean: float) -> float:
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _p(mean: float, error: float, freedom: float) -> float:
    if error == 0:
        return float(mean == 0)
    return 2 * float(stdtr(freedom, -abs(mean) / error))
