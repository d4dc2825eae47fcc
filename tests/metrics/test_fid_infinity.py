"""The extrapolated FID has little bias, and its fitted line equals the line that NumPy fits."""

import numpy as np
import pytest
import torch
from helpers.scores import Stub, make_reference, make_scores, score_features

from ganexp.metrics.fid_infinity import FIDInfinity, extrapolate_distance, intercept
from ganexp.metrics.frechet import FrechetDistance, fit_gaussian


def test_extrapolation_removes_the_bias_of_few_samples():
    """A Gaussian has distance 0 to itself; the distance computed from 400 samples with 10 features is larger."""
    distance = FrechetDistance(torch.zeros(10).double(), torch.eye(10).double())
    draws = [torch.randn(400, 10, generator=torch.Generator().manual_seed(seed)) for seed in range(20)]
    biased = np.mean([distance(*fit_gaussian(x)) for x in draws])
    unbiased = np.mean([extrapolate_distance(x, distance) for x in draws])
    assert biased > 0.03
    assert abs(unbiased) < biased / 5


def test_intercept_is_numpys():
    x, y = [0.1, 0.2, 0.5, 0.9], [3.0, 2.0, 4.0, 1.0]
    assert intercept(x, y) == pytest.approx(np.polyfit(x, y, 1)[1])
    assert intercept([1.0, 2.0, 4.0], [7.0, 9.0, 13.0]) == pytest.approx(5)


def test_fid_infinity_is_against_each_reference():
    generator = torch.Generator().manual_seed(0)
    real = {split: torch.randn(60, 3, generator=generator) for split in ("train", "test")}
    fake = torch.randn(50, 3, generator=generator)
    expected = [extrapolate_distance(fake, make_reference(features).distance) for features in real.values()]
    names = ("fid_infinity_stub", "fid_infinity_stub_test")
    assert score_features(FIDInfinity, real, fake) == pytest.approx(dict(zip(names, expected, strict=True)), rel=1e-9)
    info = make_scores({"fid_infinity": FIDInfinity}, real, 50, Stub(3)).info()
    value = {"higher_is_better": False, "plot_scale": "log", "fewest_images": 60}
    assert info == {names[0]: value, names[1]: {**value, "reference": "test", "row": names[0]}}
