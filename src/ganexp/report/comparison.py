"""Which of two groups is better, where the seeds tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ganexp.report.grouping import Column, Group
from ganexp.report.statistics import Difference, difference, holm, summarize

MOST = 12  # groups that are compared each with each


@dataclass(frozen=True)
class Comparison:
    """`first` minus `second` in one column. p: Holm's over the column's `family` comparisons, None where n < 2."""

    column: Column
    first: Group
    second: Group
    difference: Difference
    p: float | None
    family: int

    @property
    def separable(self) -> bool:
        """The interval leaves zero out, and so does Holm's correction."""
        return self._alone and self.p < 0.05

    @property
    def _alone(self) -> bool:
        return self.p is not None and not self.difference.low <= 0 <= self.difference.high

    @property
    def verdict(self) -> str:
        a, b = self.difference.n
        n = f"n={a}" if a == b else f"n={a} and {b}"
        if not self._alone:
            return f"not separable at {n}"
        if not self.separable:
            return f"not separable at {n} (Holm, {self.family} pairs)"
        if not self.column.better:
            return "first is lower" if self.difference.mean < 0 else "first is higher"
        lower, higher = ("first", "second") if self.difference.mean < 0 else ("second", "first")
        return f"{lower if self.column.better == 'lower' else higher} is better"


def compare(groups: Sequence[Group], columns: Sequence[Column]) -> list[Comparison]:
    """Within each column, each group with each; of more than MOST, each with the best mean, corrected as if so."""
    found = []
    for column in columns:
        measured = [(one, values) for one in groups if (values := one.values(column))]
        if len(measured) > MOST:
            sign = -1 if column.better == "higher" else 1
            best = min(measured, key=lambda pair: sign * summarize(list(pair[1].values())).mean)
            pairs = [(best, other) for other in measured if other is not best]
        else:
            pairs = list(combinations(measured, 2))
        family = len(measured) * (len(measured) - 1) // 2
        differences = [difference(a, b) for (_, a), (_, b) in pairs]
        ps = iter(holm([one.p for one in differences if one.p is not None], family))
        for ((first, _), (second, _)), one in zip(pairs, differences, strict=True):
            found.append(Comparison(column, first, second, one, None if one.p is None else next(ps), family))
    return found
