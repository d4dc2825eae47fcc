"""Precision, recall, density and coverage of generated images, computed from distances to nearest neighbours."""

from typing import Any

import torch
from torch import Tensor

from ganexp.metrics.score import Minimum, SampleScore

NEIGHBOURS = 5  # number k of neighbours in the paper on density and coverage


class PrecisionRecall(SampleScore):
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020) with k = 5 neighbours.

    For an extractor named `classifier`, the values for the first reference are `precision_classifier`,
    `recall_classifier`, `density_classifier` and `coverage_classifier`; every further reference has four values, too.
    """

    higher_is_better = True

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return the minimum: k + 1 samples and k + 1 real images, because an image is not its own neighbour."""
        return Minimum(samples=NEIGHBOURS + 1, images=NEIGHBOURS + 1)

    def update(self, features: Tensor, indices: Tensor) -> None:
        """Add samples with features (N, d) and indices (N,)."""
        self.keep(indices, features=features)

    def compute(self) -> dict[str, Tensor]:
        """Return the four values for each reference."""
        (features,) = self.sorted_columns()
        values = {}
        for name, reference in self.context.named_references():
            for key, value in precision_recall_density_coverage(reference.features, features).items():
                values[f"{key}_{name}"] = torch.tensor(value, dtype=torch.float64)
        return values

    def value_patterns(self) -> list[str]:
        """Return the patterns of the names of the four values."""
        return ["precision_{}", "recall_{}", "density_{}", "coverage_{}"]


@torch.no_grad()
def precision_recall_density_coverage(
    real: Tensor, fake: Tensor, k: int = NEIGHBOURS, rows: int = 2000
) -> dict[str, float]:
    """Return precision, recall, density and coverage of generated features (M, d), given real features (N, d).

    Each sample, real or generated, is the centre of a ball. The radius of the ball is the distance from the sample to
    the k-th nearest other sample of its own set.

    - precision: share of generated samples inside the ball of any real sample.
    - recall: share of real samples inside the ball of any generated sample.
    - density: mean number of balls of real samples in which a generated sample lies, divided by k.
    - coverage: share of real samples with at least one generated sample inside their ball.

    Args:
        real: features of real images (N, d).
        fake: features of generated images (M, d).
        k: the radius of a ball is the distance to the k-th nearest neighbour.
        rows: number of samples for which distances are computed at a time.

    Raises:
        ValueError: a set has fewer than k + 1 samples.
    """
    if min(len(real), len(fake)) <= k:
        raise ValueError(f"k={k} needs {k + 1} real and {k + 1} generated samples, not {len(real)} and {len(fake)}")
    real_radius, fake_radius = ball_radii(real, k, rows), ball_radii(fake, k, rows)
    fakes_inside_real, pairs_inside_real = 0, 0
    real_is_inside_fake = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    nearest_fake = torch.full((len(real),), torch.inf, device=real.device)
    for chunk, radius in zip(fake.split(rows), fake_radius.split(rows), strict=True):
        distance = torch.cdist(chunk, real)  # (≤ rows, N)
        is_inside_real = distance <= real_radius
        fakes_inside_real += int(is_inside_real.any(1).sum())
        pairs_inside_real += int(is_inside_real.sum())
        real_is_inside_fake |= (distance <= radius[:, None]).any(0)
        nearest_fake = torch.minimum(nearest_fake, distance.amin(0))
    return {
        "precision": fakes_inside_real / len(fake),
        "recall": real_is_inside_fake.float().mean().item(),
        "density": pairs_inside_real / (k * len(fake)),
        "coverage": (nearest_fake <= real_radius).float().mean().item(),
    }


def ball_radii(features: Tensor, k: int, rows: int) -> Tensor:
    """Return the distance (N,) from each sample (N, d) to its k-th nearest other sample."""
    parts = [torch.cdist(chunk, features).kthvalue(k + 1, dim=1).values for chunk in features.split(rows)]
    return torch.cat(parts)
