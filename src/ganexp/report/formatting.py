"""Format numbers for tables on the page and in text."""

from dataclasses import dataclass

from ganexp.report.comparison import Comparison
from ganexp.report.rounding import rounded_texts
from ganexp.report.statistics import Summary

MISSING = "–"


@dataclass(frozen=True)
class DifferenceTexts:
    """The numbers of a comparison as text."""

    mean: str
    interval: str
    p: str


def number(value: float | None) -> str:
    """Return `value` with four digits, or a dash for None."""
    return MISSING if value is None else f"{value:.4g}"


def mean_and_half(summary: Summary, counted: int) -> str:
    """Return a mean with half the width of its interval, such as 40.4 ± 1.2.

    Args:
        summary: the summary of the scores of some seeds.
        counted: the number of counted runs of the configuration; if the summary has a different number of values, the
            text states the number of values.
    """
    if summary.n == 0:
        return MISSING
    mean, half = mean_and_half_texts(summary)
    return mean + (f" ± {half}" if half else "") + own_sample_size(summary, counted)


def mean_and_half_texts(summary: Summary) -> tuple[str, str]:
    """Return a mean and half the width of its interval, both rounded to the second digit of the half width.

    The half width is empty for a single value.
    """
    if summary.mean is None or summary.high is None:
        return number(summary.mean), ""
    return rounded_texts(summary.mean, summary.high - summary.mean)


def own_sample_size(summary: Summary, counted: int) -> str:
    """Return the number of values, such as " (n=2)", if it is not the number of counted runs; otherwise ""."""
    return "" if summary.n == counted else f" (n={summary.n})"


def difference_texts(comparison: Comparison) -> DifferenceTexts:
    """Return the difference, its interval and the corrected p value of a comparison."""
    difference = comparison.difference
    has_interval = difference.low is not None
    return DifferenceTexts(
        mean=f"{difference.mean:+.3g}",
        interval=f"{difference.low:.3g} … {difference.high:.3g}" if has_interval else MISSING,
        p=MISSING if comparison.p is None else f"{comparison.p:.2g}",
    )


def typographic_minus(text: str) -> str:
    """Return `text` with hyphens replaced by minus signs."""
    return text.replace("-", "−")
