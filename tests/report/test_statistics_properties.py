"""Properties that means, intervals and corrected p values have for any numbers."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganexp.metrics.fid_interval import bootstrap_interval
from ganexp.metrics.frechet import FrechetDistance, fit_gaussian
from ganexp.report.statistics import difference, evenly, holm, summarize

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(VALUES, st.randoms())
def test_interval_contains_the_mean_in_any_order(values, random):
    summary = summarize(values)
    assert min(values) - 1e-9 <= summary.mean <= max(values) + 1e-9
    if len(values) > 1:
        assert summary.low <= summary.mean <= summary.high
    shuffled = random.sample(values, len(values))
    assert summarize(shuffled) == summary or summarize(shuffled).mean == pytest.approx(summary.mean, abs=1e-6)


@given(st.floats(-1e6, 1e6), st.integers(2, 12))
def test_equal_values_have_no_spread(value, count):
    summary = summarize([value] * count)
    assert (summary.mean, summary.sd, summary.low, summary.high) == (value, 0, value, value)


@given(VALUES, st.floats(-1e6, 1e6))
def test_interval_moves_with_the_values(values, shift):
    before, after = summarize(values), summarize([value + shift for value in values])
    assert after.mean == pytest.approx(before.mean + shift, abs=1e-4)
    if len(values) > 1:
        assert after.high - after.low == pytest.approx(before.high - before.low, rel=1e-6, abs=1e-3)


@settings(max_examples=50)
@given(VALUES, VALUES)
def test_difference_of_swapped_groups_has_the_other_sign(first, second):
    a, b = dict(enumerate(first)), dict(enumerate(second, start=len(first) // 2))
    there, back = difference(a, b), difference(b, a)
    assert (there.kind, there.mean) == (back.kind, -back.mean)
    if there.p is not None:
        assert there.p == pytest.approx(back.p, nan_ok=True)
        if not math.isnan(there.p):
            assert there.low <= there.mean + 1e-6
            assert there.mean - 1e-6 <= there.high
            assert (there.low, there.high) == pytest.approx((-back.high, -back.low), rel=1e-6, abs=1e-6)


@given(P_VALUES, st.integers(0, 5))
def test_corrected_p_values_are_larger_and_in_the_same_order(ps, more):
    adjusted = holm(ps, len(ps) + more)
    assert all(p <= q <= 1 for p, q in zip(ps, adjusted, strict=True))
    order = sorted(range(len(ps)), key=ps.__getitem__)
    assert [adjusted[place] for place in order] == sorted(adjusted)


@given(st.integers(0, 500), st.integers(2, 50))
def test_chosen_indices_are_spread_over_the_whole(count, limit):
    chosen = evenly(count, limit)
    assert len(chosen) == min(count, limit) == len(set(chosen))
    assert chosen == sorted(chosen)
    if count:
        assert (chosen[0], chosen[-1]) == (0, count - 1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(4, 20), st.integers(1, 4))
def test_bootstrap_interval_contains_the_measured_distance(seed, count, dim):
    generator = torch.Generator().manual_seed(seed)
    features, real = torch.randn(2, count, dim, generator=generator)
    distance = FrechetDistance(*fit_gaussian(real))
    low, high = bootstrap_interval(features, distance, replicates=20)
    assert low <= distance(*fit_gaussian(features)) <= high
