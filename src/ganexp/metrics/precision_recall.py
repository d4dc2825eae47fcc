"""Precision, recall, density and coverage of generated images, from balls around the nearest neighbours."""

import torch
from torch import Tensor

from ganexp.errors import UserError
from ganexp.metrics.score import SampleScore, ScoreContext

NEIGHBOURS = 5  # k of the literature's density and coverage


class PrecisionRecall(SampleScore):
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020) with k = 5.

    Values: `precision_classifier`, `recall_classifier`, `density_classifier`, `coverage_classifier`, and the same for
    every further reference.
    """

    higher_is_better = True

    def __init__(self, context: ScoreContext) -> None:
        super().__init__(context)
        for reference in context.references.values():
            check_sizes(len(reference.features), context.samples, NEIGHBOURS)

    def update(self, features: Tensor, indices: Tensor) -> None:
        """Add samples with features (N, d) and indices (N,)."""
        self.keep(indices, features=features)

    def compute(self) -> dict[str, Tensor]:
        """Return the four values against each reference."""
        (features,) = self.sorted_columns()
        values = {}
        for name, reference in self.context.named_references():
            for key, value in precision_recall_density_coverage(reference.features, features).items():
                values[f"{key}_{name}"] = torch.tensor(value, dtype=torch.float64)
        return values

    def value_names(self) -> list[str]:
        """Return the names of the four values against each reference."""
        keys = ("precision", "recall", "density", "coverage")
        return [f"{key}_{name}" for name, _ in self.context.named_references() for key in keys]


@torch.no_grad()
def precision_recall_density_coverage(
    real: Tensor, fake: Tensor, k: int = NEIGHBOURS, rows: int = 2000
) -> dict[str, float]:
    """Return the four values of generated features (M, d) against real ones (N, d).

    The radius of the ball around a sample is the distance to its k-th nearest other sample of the same set.

    - precision: share of generated samples inside any ball of a real one.
    - recall: share of real samples inside any ball of a generated one.
    - density: average number of balls of real samples that a generated sample lies in, divided by k.
    - coverage: share of real samples whose ball contains a generated one.

    Args:
        real: features of real images (N, d).
        fake: features of generated images (M, d).
        k: the rank of the neighbour that sets the radius.
        rows: samples whose distances are computed at a time.

    Raises:
        UserError: a set has fewer than k + 1 samples.
    """
    check_sizes(len(real), len(fake), k)
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


def check_sizes(real: int, fake: int, k: int) -> None:
    """Raise UserError if there are too few real or generated samples for a k-th neighbour."""
    if min(real, fake) <= k:
        raise UserError(
            f"Precision and recall with k={k} neighbours need at least {k + 1} real and {k + 1} generated images, "
            f"but there are {real} and {fake}: score more samples, or leave out the score `neighbours`"
        )


def ball_radii(features: Tensor, k: int, rows: int) -> Tensor:
    """Return the distance from each sample (N, d) to its k-th nearest other one: (N,)."""
    parts = [torch.cdist(chunk, features).kthvalue(k + 1, dim=1).values for chunk in features.split(rows)]
    return torch.cat(parts)
