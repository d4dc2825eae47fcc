"""An exponential moving average of the generator's weights, which images are then sampled from."""

from copy import deepcopy

import torch
from torch import Tensor, nn


class AveragedGenerator(nn.Module):
    """Hold a copy of a generator whose parameters follow the original's as an exponential moving average.

    Buffers, such as the statistics of batch norm, are copied. The copy is called like the generator.

    Args:
        generator: the network that is trained.
        decay: of the average, in (0, 1).
        start: the step after which averaging starts; up to it, the copy equals the generator.
    """

    def __init__(self, generator: nn.Module, decay: float, start: int = 0) -> None:
        super().__init__()
        self.network = deepcopy(generator).requires_grad_(False)
        self.decay, self.start = decay, start

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images (N, C, H, W) of latents z (N, d) and labels (N,) or None."""
        return self.network(z, labels)

    @torch.no_grad()
    def update(self, generator: nn.Module, step: int) -> None:
        """Move the average towards `generator` after its update number `step`."""
        weight = 1 - (self.decay if step > self.start else 0.0)
        torch._foreach_lerp_(list(self.network.parameters()), list(generator.parameters()), weight)
        for average, buffer in zip(self.network.buffers(), generator.buffers(), strict=True):
            average.copy_(buffer)
