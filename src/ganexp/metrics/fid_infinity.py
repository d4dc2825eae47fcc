"""FID∞ (Chong and Forsyth 2020): the FID extrapolated to infinitely many samples."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from ganexp.metrics.frechet import fit_gaussian
from ganexp.metrics.score import SampleScore


class FIDInfinity(SampleScore):
    """The FID without the bias of a finite number of samples, which differs between generators.

    Values: `fid_infinity_classifier`, `fid_infinity_classifier_test`. Keeps the features of all samples.
    """

    higher_is_better = False
    plot_scale = "log"
    kept_samples: ClassVar[int | None] = None

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
    features: Tensor, distance: Callable[[Tensor, Tensor], float], points: int = 15, seed: int = 0
) -> float:
    """Return the intercept at 1/N = 0 of a line through the distances of subsets, as a function of 1/N.

    The sizes of the subsets start from N/10, or from 2d where that is more: with fewer samples than features the
    covariance is singular and the line bends.

    Args:
        features: of the samples (N, d).
        distance: from mean (d,) and covariance (d, d) to the distance.
        points: number of subsets.
        seed: of the choice of subsets.
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
