"""The guard's rules, applied to series of numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganexp.callbacks.guard_rules import best_of, is_worse, risen_to

FINITE = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([1.0] * 20 + [3.0] * 3, (1.0, 3.0)),
        ([1.0, 1.1] * 10 + [4.0] * 3, (1.05, 4.0)),
        ([-5.0, -5.5] * 10 + [20.0] * 3, (-5.25, 20.0)),  # the loss of a critic may be negative
        ([1.0] * 20 + [1.0, 9.0, 1.0], None),  # a single point
        ([0.2, 1.8] * 10 + [3.0] * 3, None),  # a rise within the noise
        ([1.0] * 19 + [3.0] * 3, None),  # too few points
        ([1.0] * 20 + [-3.0] * 3, None),  # a fall
        ([1.0] * 20 + [math.nan, 3.0, 3.0], None),
    ],
)
def test_sudden_rise_is_found_and_noise_is_not(points, expected):
    assert risen_to(points, recent=3, before=20, limit=20) == expected


@given(st.lists(st.floats(1, 1e3), min_size=23, max_size=23), st.integers(0, 10))
def test_rise_does_not_depend_on_the_unit_of_the_loss(points, power):
    unit = 2.0**power
    found = risen_to(points, 3, 20, 5.0)
    scaled = risen_to([unit * point for point in points], 3, 20, 5.0)
    assert scaled == (found and (unit * found[0], unit * found[1]))


@given(st.lists(FINITE, min_size=1, max_size=20), st.sampled_from(["min", "max"]))
def test_best_is_that_of_all_scores_and_never_worse(values, mode):
    best = []
    for step, value in enumerate(values):
        best = best_of(best, [value, step], mode)
        best = best_of(best, [math.nan, step], mode)
    assert best[0] == {"min": min, "max": max}[mode](values)
    assert best[1] == values.index(best[0])  # the first of equally good scores
    assert not is_worse(best[0], best[0], 0.25, mode)


@pytest.mark.parametrize(
    ("value", "best", "mode", "expected"),
    [
        (6.7, 5.6, "min", False),
        (7.1, 5.6, "min", True),
        (5.0, 8.0, "max", True),
        (7.0, 8.0, "max", False),
        (math.nan, 8.0, "max", False),
        (-1.0, -2.0, "min", True),  # KID may be negative
    ],
)
def test_score_is_worse_only_beyond_the_margin(value, best, mode, expected):
    assert is_worse(value, best, 0.25, mode) is expected
