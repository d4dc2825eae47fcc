"""The Fréchet distance between Gaussians (Dowson and Landau 1982), and how sure its value from N samples is."""

from collections.abc import Callable

import torch
from torch import Tensor

Distance = Callable[[Tensor, Tensor], float]


def gaussian(total: Tensor, outer: Tensor, count: int | Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and unbiased covariance (d, d) from Σx (d,), Σxxᵀ (d, d) and the number of samples; float64."""
    mean = total / count
    return mean, (outer - count * torch.outer(mean, mean)) / (count - 1)


class FrechetDistance:
    """Distance to the Gaussian of `mean` (d,) and `covariance` (d, d): ‖μ-m‖² + tr(Σ + C - 2(ΣC)^½).

    The root of `covariance` is taken once; tr (ΣC)^½ is then the sum of the roots of the eigenvalues of C^½ΣC^½, which
    is symmetric, so that none of them is complex.
    """

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        values, vectors = torch.linalg.eigh(covariance)
        self.mean, self.trace = mean, covariance.trace()
        self.root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T

    def __call__(self, mean: Tensor, covariance: Tensor) -> float:
        cross = torch.linalg.eigvalsh(self.root @ covariance @ self.root).clamp_min(0).sqrt().sum()
        return ((mean - self.mean).square().sum() + covariance.trace() + self.trace - 2 * cross).item()


def bootstrap_interval(
    features: Tensor, distance: Distance, replicates: int = 200, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the distance of N features (N, d): how it would vary with other N samples of the same generator.

    Percentiles of replicates about their own mean, laid about the distance measured: resampling adds to the distance as
    sampling does, and so the bare percentiles lie too high. The reference is taken as given.
    """
    x, generator = features.double(), torch.Generator().manual_seed(seed)
    mean, covariance = gaussian(x.sum(0), x.T @ x, len(x))
    centre, found = distance(mean, covariance), []
    for _ in range(replicates):
        drawn = torch.randint(len(x), (len(x),), generator=generator)
        weights = torch.bincount(drawn, minlength=len(x)).to(x)[:, None]  # (N, 1)
        weighted = x * weights
        found.append(distance(*gaussian(weighted.sum(0), weighted.T @ x, len(x))))
    values = torch.tensor(found, dtype=torch.float64)
    low, high = (values - values.mean()).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return centre + low, centre + high


def extrapolated(features: Tensor, distance: Distance, points: int = 15, seed: int = 0) -> float:
    """FID∞ (Chong and Forsyth 2020): the distance at `points` sample counts up to N, as a line in 1/N, at 1/N = 0.

    Takes away the bias of few samples, which differs between generators. The counts start from N/10, or from twice the
    features (N, d) where that is more: below, the covariance is singular and the line bends.
    """
    x, generator = features.double(), torch.Generator().manual_seed(seed)
    smallest = max(len(x) // 10, min(2 * x.shape[1], len(x) // 2), 2)
    counts = torch.linspace(smallest, len(x), points).long().tolist()
    found = []
    for count in counts:
        part = x[torch.randperm(len(x), generator=generator)[:count].to(x.device)]
        found.append(distance(*gaussian(part.sum(0), part.T @ part, count)))
    return intercept([1 / count for count in counts], found)


def intercept(x: list[float], y: list[float]) -> float:
    """Of the least-squares line through the points (x, y)."""
    design = torch.stack([torch.ones(len(x)), torch.tensor(x)], 1).double()
    return torch.linalg.lstsq(design, torch.tensor(y).double()[:, None]).solution[0].item()
