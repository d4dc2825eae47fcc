"""Intervals, differences and corrections agree with SciPy and with Holm's own example."""

import pytest
from scipy import stats

from ganexp.report.statistics import difference, evenly, holm, summarize

A = [12.1, 13.4, 11.8, 12.9]
B = [14.0, 14.9, 13.1, 15.2]


def test_summary_equals_scipys():
    summary = summarize(A)
    interval = stats.t.interval(0.95, 3, loc=stats.tmean(A), scale=stats.sem(A))
    assert (summary.mean, summary.sd) == pytest.approx((stats.tmean(A), stats.tstd(A)), rel=1e-12)
    assert (summary.low, summary.high) == pytest.approx(interval, rel=1e-10)


def test_summary_of_few_values_lacks_what_they_do_not_give():
    assert summarize([]).mean is None
    single = summarize([3.0])
    assert (single.n, single.mean, single.sd, single.low) == (1, 3.0, None, None)


def test_paired_difference_equals_scipys():
    result = difference(dict(enumerate(A)), dict(enumerate(B)))
    expected = stats.ttest_rel(A, B)
    interval = expected.confidence_interval(0.95)
    assert (result.kind, result.n) == ("paired", (4, 4))
    assert (result.p, result.low, result.high) == pytest.approx((expected.pvalue, *interval), rel=1e-10)


def test_difference_of_other_seeds_equals_scipys_welch():
    result = difference(dict(enumerate(A)), dict(enumerate(B[:3], start=9)))
    expected = stats.ttest_ind(A, B[:3], equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert (result.kind, result.n) == ("Welch", (4, 3))
    assert (result.p, result.low, result.high) == pytest.approx((expected.pvalue, *interval), rel=1e-10)


def test_difference_is_paired_over_a_subset_of_seeds():
    result = difference({0: 1.0, 1: 2.0, 2: 9.0}, {0: 0.5, 1: 1.0})
    assert (result.kind, result.n, result.mean) == ("paired", (2, 2), 0.75)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        ({0: 1.0, 1: 2.0}, {0: 2.0, 1: 3.0}, 0),  # the same difference for every seed
        ({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0}, 1),
        ({0: 1.0, 1: 1.0}, {7: 1.0, 8: 1.0}, 1),
    ],
)
def test_p_without_spread_is_zero_or_one(first, second, p):
    assert difference(first, second).p == p


def test_difference_of_single_seeds_has_no_p():
    result = difference({0: 1.0}, {1: 2.0, 2: 3.0})
    assert (result.kind, result.mean, result.p, result.low) == ("Welch", -1.5, None, None)


def test_holm_corrects_as_in_holms_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, 0.004], total=10) == pytest.approx([0.09, 0.04])
    assert holm([]) == []


def test_evenly_keeps_the_ends():
    assert evenly(3, 5) == [0, 1, 2]
    assert evenly(101, 5) == [0, 25, 50, 75, 100]
