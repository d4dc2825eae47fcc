"""The Fréchet distance against torchmetrics' formula and as a distance."""

import pytest
import torch
from torchmetrics.image.fid import _compute_fid

from ganexp.metrics.frechet import FrechetDistance, fit_gaussian, gaussian


@pytest.mark.parametrize("count", [400, 20])  # 20 samples of 32 features: singular covariances
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
