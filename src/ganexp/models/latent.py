"""The distribution of the generator's latents."""

from typing import Literal

import torch
from torch import Tensor

from ganexp.types import LatentSize


class Latent:
    """Draw latents z (N, dim) with independent components.

    Args:
        dim: number of components of a latent.
        distribution: distribution of each component: `normal` is N(0, 1), `uniform` is U(-1, 1).
    """

    def __init__(self, dim: LatentSize, distribution: Literal["normal", "uniform"] = "normal") -> None:
        self.dim = dim
        self.distribution = distribution

    def sample(
        self, count: int, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Tensor:
        """Return `count` latents (count, dim) as float32.

        Args:
            count: number of latents to draw.
            device: device of the result; `generator` must be on the same device.
            generator: source of random numbers; None uses torch's global generator for this device.
        """
        z = torch.empty(count, self.dim, device=device)
        if self.distribution == "normal":
            return z.normal_(generator=generator)
        return z.uniform_(-1, 1, generator=generator)
