"""The Fréchet distance, compared with torchmetrics' formula; it is symmetric, and refuses NaN and infinity."""

import pytest
import torch
from torchmetrics.image.fid import _compute_fid

from ganexp.metrics.frechet import FrechetDistance, fit_gaussian, gaussian


@pytest.mark.parametrize("count", [400, 20])  # with 20 samples of 32 features, covariances are singular
def test_distance_is_torchmetrics_and_symmetric(count):
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(32, 32, generator=generator)
    real, fake = torch.randn(2, count, 32, generator=generator)
    (mean, covariance), (other_mean, other_covariance) = fit_gaussian(real), fit_gaussian(fake @ mixing + 0.3)
    distance = FrechetDistance(mean, covariance)(other_mean, other_covariance)
    theirs = _compute_fid(mean, covariance, other_mean, other_covariance).item()
    assert distance == pytest.approx(theirs, rel=1e-5)
    backwards = FrechetDistance(other_mean, other_covariance)(mean, covariance)
    assert backwards == pytest.approx(distance, rel=1e-6)


def test_gaussian_is_mean_and_unbiased_covariance():
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    for mean, covariance in (fit_gaussian(x), gaussian(x.double().sum(0), x.double().T @ x.double(), 50)):
        assert mean.dtype == covariance.dtype == torch.float64
        assert torch.allclose(mean, x.double().mean(0))
        assert torch.allclose(covariance, torch.cov(x.double().T))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_covariance_that_is_not_finite_is_refused(value):
    good, bad = torch.eye(3, dtype=torch.float64), torch.full((3, 3), value, dtype=torch.float64)
    mean = torch.zeros(3, dtype=torch.float64)
    with pytest.raises(torch.linalg.LinAlgError, match="contain NaN or infinity"):
        FrechetDistance(mean, bad)
    with pytest.raises(torch.linalg.LinAlgError, match="contain NaN or infinity"):
        FrechetDistance(mean, good)(mean, bad)


def test_distance_of_equal_samples_is_finite():
    mean, covariance = fit_gaussian(torch.ones(9, 4))
    assert FrechetDistance(mean, covariance)(mean + 1, covariance) == pytest.approx(4)
