"""The Fréchet distance against torchmetrics'; its interval and its extrapolation against what many samples show."""

import numpy as np
import pytest
import torch
from torchmetrics.image import FrechetInceptionDistance

from ganexp.metrics.frechet import FrechetDistance, bootstrap_interval, extrapolated, gaussian, intercept
from ganexp.metrics.reference import _Features


def moments(x):
    x = x.double()
    return gaussian(x.sum(0), x.T @ x, len(x))


@pytest.mark.parametrize("count", [400, 20])  # 20 samples of 32 features: singular covariances
def test_distance_is_torchmetrics(count):
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(32, 32, generator=generator)
    real, fake = torch.randn(2, count, 32, generator=generator)
    fake = fake @ mixing + 0.3
    theirs = FrechetInceptionDistance(_Features(32))
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    ours = FrechetDistance(*moments(real))(*moments(fake))
    assert ours == pytest.approx(theirs.compute().item(), rel=1e-5)
    assert FrechetDistance(*moments(fake))(*moments(real)) == pytest.approx(ours, rel=1e-6)


def test_interval_is_as_wide_as_the_spread_of_many_draws():
    """Draws of one Gaussian against another: their distances have the quantiles that one draw's bootstrap tells."""
    generator = torch.Generator().manual_seed(1)
    distance = FrechetDistance(torch.zeros(4).double(), torch.eye(4).double())
    draws = [torch.randn(500, 4, generator=generator) * 1.3 + 0.2 for _ in range(200)]
    found = torch.tensor([distance(*moments(x)) for x in draws])
    low, high = found.quantile(torch.tensor([0.025, 0.975])).tolist()
    widths = []
    for x in draws[:10]:
        interval = bootstrap_interval(x, distance)
        assert interval[0] < distance(*moments(x)) < interval[1]
        widths.append(interval[1] - interval[0])
    assert np.mean(widths) == pytest.approx(high - low, rel=0.15)
    assert bootstrap_interval(draws[0], distance) == bootstrap_interval(draws[0], distance)


def test_extrapolation_takes_the_bias_away():
    """Two samples of one Gaussian have distance 0 if they are endless; with 400 of 10 features they seem apart."""
    distance = FrechetDistance(torch.zeros(10).double(), torch.eye(10).double())
    draws = [torch.randn(400, 10, generator=torch.Generator().manual_seed(seed)) for seed in range(20)]
    biased = np.mean([distance(*moments(x)) for x in draws])
    unbiased = np.mean([extrapolated(x, distance) for x in draws])
    assert biased > 0.03
    assert abs(unbiased) < biased / 5


def test_intercept_is_numpys():
    x, y = [0.1, 0.2, 0.5, 0.9], [3.0, 2.0, 4.0, 1.0]
    assert intercept(x, y) == pytest.approx(np.polyfit(x, y, 1)[1])
    assert intercept([1.0, 2.0, 4.0], [7.0, 9.0, 13.0]) == pytest.approx(5)
