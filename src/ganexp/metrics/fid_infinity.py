"""FID∞ (Chong and Forsyth 2020): the FID extrapolated to infinitely many samples."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganexp.metrics.frechet import fit_gaussian
from ganexp.metrics.score import Minimum, SampleScore

POINTS = 15  # subsets that the line is fitted to


class FIDInfinity(SampleScore):
    """The FID without the bias of a finite number of samples, which differs between generators.

    The values are `fid_infinity_classifier` and `fid_infinity_classifier_test`. The features of all samples are kept in
    memory.
    """

    higher_is_better = False
    plot_scale = "log"
    kept_samples: ClassVar[int | None] = None

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return the minimum numbers of images, with enough samples that all subsets have different sizes."""
        return Minimum(samples=2 * POINTS, images=2)

    def update(self, features: Tensor, indices: Tensor) -> None:
        """Add samples with features (N, d) and indices (N,)."""
        self.keep(indices, features=features)

    def compute(self) -> dict[str, Tensor]:
        """Return the extrapolated distance to each reference."""
        (features,) = self.sorted_columns()
        values = {}
        for name, reference in self.context.named_references():
            value = extrapolate_distance(features, reference.distance)
            values[f"fid_infinity_{name}"] = torch.tensor(value, dtype=torch.float64)
        return values

    def value_names(self) -> list[str]:
        """Return the names of the distances."""
        return [f"fid_infinity_{name}" for name, _ in self.context.named_references()]


def extrapolate_distance(
    features: Tensor, distance: Callable[[Tensor, Tensor], float], points: int = POINTS, seed: int = 0
) -> float:
    """Return the intercept at 1/N = 0 of a line fitted to the distances of subsets as a function of 1/N.

    The sizes of the subsets start from N/10, or from 2d (but at most N/2) if this is larger. With fewer samples than
    features the covariance is singular, and the distances do not lie on a line.

    Args:
        features: features (N, d) of the samples.
        distance: function that maps a mean (d,) and a covariance (d, d) to the distance.
        points: number of subsets.
        seed: seed of the choice of subsets.
    """
    x, generator = features.double(), torch.Generator().manual_seed(seed)
    smallest = max(len(x) // 10, min(2 * x.shape[1], len(x) // 2), 2)
    counts = torch.linspace(smallest, len(x), points).long().tolist()
    distances = []
    for count in counts:
        subset = x[torch.randperm(len(x), generator=generator)[:count].to(x.device)]
        distances.append(distance(*fit_gaussian(subset)))
    return intercept([1 / count for count in counts], distances)


def intercept(x: list[float], y: list[float]) -> float:
    """Return the intercept of the least-squares line through the points (x, y)."""
    design = torch.stack([torch.ones(len(x)), torch.tensor(x)], 1).double()
    return torch.linalg.lstsq(design, torch.tensor(y).double()[:, None]).solution[0].item()
