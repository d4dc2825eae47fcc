"""The rules by which the guard finds failures: functions of logged numbers. This module must not import torch."""

import math
import statistics
from collections.abc import Sequence

TO_DEVIATION = 1.4826  # standard deviation divided by median absolute deviation, for a normal distribution
SMALLEST_DEVIATION = 0.01  # lower bound on the estimated deviation, as a share of the median


def risen_to(points: Sequence[float], recent: int, before: int, limit: float) -> tuple[float, float] | None:
    """Return the medians before and after a sudden rise at the end of `points`; None if there is no such rise.

    Medians are compared, because single points of a healthy run may lie far above the others.

    Args:
        points: values in order.
        recent: number of points at the end that are compared with the points before them.
        before: number of points before the recent ones. If there are fewer, nothing is found.
        limit: a rise is sudden if it is greater than this, in standard deviations of the points before the rise. The
            standard deviation is estimated from the median absolute deviation.
    """
    if len(points) < recent + before or not all(map(math.isfinite, points)):
        return None
    earlier, later = points[-recent - before : -recent], points[-recent:]
    median, now = statistics.median(earlier), statistics.median(later)
    deviation = TO_DEVIATION * statistics.median(abs(point - median) for point in earlier)
    deviation = max(deviation, SMALLEST_DEVIATION * abs(median), 1e-6)
    return (median, now) if now - median > limit * deviation else None


def best_of(best: Sequence[float], candidate: Sequence[float], mode: str) -> list[float]:
    """Return the better of two pairs of a score and its step; a score that is NaN is never better.

    Args:
        best: the pair so far; empty if there is none.
        candidate: the new pair.
        mode: `min` if lower scores are better, `max` if higher scores are better.
    """
    if math.isnan(candidate[0]):
        return list(best)
    if not best:
        return list(candidate)
    is_better = candidate[0] < best[0] if mode == "min" else candidate[0] > best[0]
    return list(candidate if is_better else best)


def is_worse(value: float, best: float, margin: float, mode: str) -> bool:
    """Return whether a score is worse than the best score by more than `margin`, as a share of the best score."""
    loss = value - best if mode == "min" else best - value
    return loss > margin * abs(best)
