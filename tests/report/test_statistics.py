"""Intervals and t tests agree with published examples, closed forms and textbook formulas."""

import math
import random
import statistics
import warnings

import pytest
from scipy import special, stats

from ganexp.report.statistics import difference, evenly, holm, summarize

A = [12.1, 13.4, 11.8, 12.9]
B = [14.0, 14.9, 13.1, 15.2]

# Hours of sleep gained with two drugs by ten patients: Student (1908), Biometrika 6, 1-25.
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def by_seed(values, start=0):
    return dict(enumerate(values, start))


def numbers(result):
    return result.low, result.high, result.p


def interval_and_p(mean, error, freedom):
    """Compute the bounds of a 95 % interval and the two-sided p value by the formulas of textbooks."""
    half = special.stdtrit(freedom, 0.975) * error
    return mean - half, mean + half, 2 * special.stdtr(freedom, -abs(mean) / error)


def test_summary_equals_scipys():
    summary = summarize(A)
    interval = stats.t.interval(0.95, 3, loc=stats.tmean(A), scale=stats.sem(A))
    assert (summary.mean, summary.sd) == pytest.approx((stats.tmean(A), stats.tstd(A)), rel=1e-12)
    assert (summary.low, summary.high) == pytest.approx(interval, rel=1e-10)


def test_summary_of_few_values_lacks_what_they_do_not_give():
    assert summarize([]).mean is None
    single = summarize([3.0])
    assert (single.n, single.mean, single.sd, single.low) == (1, 3.0, None, None)


def test_paired_difference_agrees_with_students_example():
    result = difference(by_seed(DRUG_1), by_seed(DRUG_2))
    assert (result.kind, result.n, result.mean) == ("paired", (10, 10), pytest.approx(-1.58))
    assert numbers(result) == pytest.approx((-2.4598858, -0.7001142, 0.00283289), rel=1e-6)


def test_welchs_difference_agrees_with_students_example():
    result = difference(by_seed(DRUG_1), by_seed(DRUG_2, start=10))
    assert (result.kind, result.n, result.mean) == ("Welch", (10, 10), pytest.approx(-1.58))
    assert numbers(result) == pytest.approx((-3.3654832, 0.2054832, 0.07939414), rel=1e-6)


def test_paired_difference_of_two_seeds_has_a_closed_form():
    """With one degree of freedom, t has Cauchy's distribution."""
    result = difference({0: 3.0, 1: 7.0}, {0: 1.0, 1: 2.0})  # the differences are 2 and 5: mean 3.5, standard error 1.5
    half = 1.5 * math.tan(0.475 * math.pi)
    expected = (3.5 - half, 3.5 + half, 1 - 2 / math.pi * math.atan(3.5 / 1.5))
    assert numbers(result) == pytest.approx(expected, rel=1e-9)


def test_welchs_difference_of_two_seeds_has_a_closed_form():
    """With two degrees of freedom, the distribution function of t is algebraic."""
    result = difference({0: 1.0, 1: 2.0}, {2: 2.0, 3: 3.0})  # the means differ by -1, standard error sqrt(1/2)
    half = math.sqrt(0.5) * 0.95 * math.sqrt(2 / (1 - 0.95**2))
    assert numbers(result) == pytest.approx((-1 - half, -1 + half, 1 - math.sqrt(0.5)), rel=1e-9)


@pytest.mark.parametrize("case", range(20))
def test_paired_difference_equals_the_formula(case):
    noise = random.Random(case)
    n = noise.randint(2, 10)
    first, second = ([noise.gauss(mean, 3) for _ in range(n)] for mean in (20, 25))
    differences = [a - b for a, b in zip(first, second, strict=True)]
    error = statistics.stdev(differences) / math.sqrt(n)
    expected = interval_and_p(statistics.fmean(differences), error, n - 1)
    assert numbers(difference(by_seed(first), by_seed(second))) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("case", range(20))
def test_welchs_difference_equals_the_formula(case):
    noise = random.Random(case)
    first, second = ([noise.gauss(20, sd) for _ in range(noise.randint(2, 10))] for sd in (1, 5))
    terms = [statistics.variance(values) / len(values) for values in (first, second)]
    freedom = sum(terms) ** 2 / sum(
        term**2 / (len(values) - 1) for term, values in zip(terms, (first, second), strict=True)
    )
    mean = statistics.fmean(first) - statistics.fmean(second)
    expected = interval_and_p(mean, math.sqrt(sum(terms)), freedom)
    assert numbers(difference(by_seed(first), by_seed(second, start=20))) == pytest.approx(expected, rel=1e-9)


def test_difference_pairs_values_by_seed():
    shuffled = {seed: B[seed] for seed in (2, 0, 3, 1)}
    assert difference(by_seed(A), shuffled) == difference(by_seed(A), by_seed(B))


def test_difference_is_paired_over_a_subset_of_seeds():
    result = difference({0: 1.0, 1: 2.0, 2: 9.0}, {0: 0.5, 1: 1.0})
    assert (result.kind, result.n, result.mean) == ("paired", (2, 2), 0.75)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        ({0: 1.0, 1: 2.0}, {0: 2.0, 1: 3.0}, 0),  # the same difference for every seed
        ({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0}, 1),
        ({0: 1.0, 1: 1.0}, {7: 1.0, 8: 1.0}, 1),
        ({0: 0.1, 1: 0.1, 2: 0.1}, {7: 0.3, 8: 0.3, 9: 0.3}, 0),
    ],
)
def test_difference_without_spread_has_an_exact_interval(first, second, p):
    result = difference(first, second)
    assert numbers(result) == (result.mean, result.mean, p)


def test_nearly_equal_differences_cause_no_warning():
    first, second = ([shift + 0.1 * index for index in range(4)] for shift in (0.1, 0.3))
    with warnings.catch_warnings(action="error"):
        result = difference(by_seed(first), by_seed(second))
    assert result.p < 1e-40


def test_difference_of_single_seeds_has_no_p():
    result = difference({0: 1.0}, {1: 2.0, 2: 3.0})
    assert (result.kind, result.mean, result.p, result.low) == ("Welch", -1.5, None, None)
    assert difference({0: 1.0}, {0: 3.0, 2: 3.0}).p is None


def test_holm_corrects_as_in_holms_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, 0.004], total=10) == pytest.approx([0.09, 0.04])
    assert holm([]) == []


def test_evenly_keeps_the_ends():
    assert evenly(3, 5) == [0, 1, 2]
    assert evenly(101, 5) == [0, 25, 50, 75, 100]
