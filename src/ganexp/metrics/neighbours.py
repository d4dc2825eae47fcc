"""Precision, recall, density and coverage of generated features, from k-nearest-neighbour balls."""

import torch
from torch import Tensor

from ganexp.errors import UserError


@torch.no_grad()
def neighbour_scores(real: Tensor, fake: Tensor, k: int = 5, rows: int = 2000) -> dict[str, float]:
    """Of features (N, d) and (M, d), `rows` at a time on the features' device.

    A ball is a sample with its k-th nearest other sample of the same set on the rim.

    - precision: fakes inside any real ball; recall: reals inside any fake ball. Kynkäänniemi et al. 2019.
    - density: real balls a fake lies in, over k; coverage: real balls with a fake inside. Naeem et al. 2020.

    Raises:
        UserError: fewer than k + 1 samples on a side.
    """
    if min(len(real), len(fake)) <= k:
        raise UserError(
            f"neighbours: k={k} needs at least {k + 1} real and generated samples, got {len(real)} and {len(fake)}"
        )
    real_radius, fake_radius = _radius(real, k, rows), _radius(fake, k, rows)
    inside_real, balls, inside_fake = 0, 0, torch.zeros(len(real), dtype=torch.bool, device=real.device)
    nearest = torch.full((len(real),), torch.inf, device=real.device)
    for chunk, radius in zip(fake.split(rows), fake_radius.split(rows), strict=True):
        distance = torch.cdist(chunk, real)  # (rows, N)
        hit = distance <= real_radius
        inside_real += hit.any(1).sum().item()
        balls += hit.sum().item()
        inside_fake |= (distance <= radius[:, None]).any(0)
        nearest = torch.minimum(nearest, distance.amin(0))
    covered = (nearest <= real_radius).float().mean().item()
    return {
        "precision": inside_real / len(fake),
        "recall": inside_fake.float().mean().item(),
        "density": balls / (k * len(fake)),
        "coverage": covered,
    }


def _radius(features: Tensor, k: int, rows: int) -> Tensor:
    """Distance of each sample to its k-th nearest other one (N,)."""
    parts = [torch.cdist(chunk, features).kthvalue(k + 1, dim=1).values for chunk in features.split(rows)]
    return torch.cat(parts)
