"""The Fréchet distance between two Gaussians (Dowson and Landau 1982), on which FID and similar scores are based."""

import torch
from torch import Tensor

FEWEST_IMAGES = 5_000  # the smallest number of images for which articles report an FID


def gaussian(total: Tensor, outer: Tensor, count: int | Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (d,) and unbiased covariance (d, d) from the sums Σx (d,) and Σxxᵀ (d, d) of `count` samples.

    The sums must be float64.
    """
    mean = total / count
    return mean, (outer - count * torch.outer(mean, mean)) / (count - 1)


def fit_gaussian(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (d,) and unbiased covariance (d, d) of features (N, d), in float64."""
    x = features.double()
    return gaussian(x.sum(0), x.T @ x, len(x))


class FrechetDistance:
    """The Fréchet distance to one Gaussian, with mean m (d,) and covariance C (d, d).

    The distance of a Gaussian with mean μ and covariance Σ is ‖μ - m‖² + tr(Σ + C - 2(ΣC)^½). The last term is
    computed from C^½, because tr (ΣC)^½ is the sum of the square roots of the eigenvalues of C^½ΣC^½. This matrix is
    symmetric, so that no eigenvalue is complex. C^½ is computed only once.

    Args:
        mean: mean m (d,), float64.
        covariance: covariance C (d, d), float64.

    Raises:
        torch.linalg.LinAlgError: The covariance is not finite, or its eigenvalues cannot be computed.
    """

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        values, vectors = torch.linalg.eigh(_finite(covariance))
        self.mean, self.trace = mean, covariance.trace()
        self.root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T

    def __call__(self, mean: Tensor, covariance: Tensor) -> float:
        """Return the distance of the Gaussian with `mean` (d,) and `covariance` (d, d).

        Raises:
            torch.linalg.LinAlgError: The covariance is not finite, or the eigenvalues cannot be computed.
        """
        product = self.root @ _finite(covariance) @ self.root
        cross = torch.linalg.eigvalsh(product).clamp_min(0).sqrt().sum()
        return ((mean - self.mean).square().sum() + covariance.trace() + self.trace - 2 * cross).item()


def _finite(covariance: Tensor) -> Tensor:
    """Return the covariance after checking that it is finite.

    Without this check, a GPU computes the eigenvalues of a matrix with NaN and raises no error.
    """
    if not covariance.isfinite().all():
        raise torch.linalg.LinAlgError("the features of the images contain NaN or infinity")
    return covariance
