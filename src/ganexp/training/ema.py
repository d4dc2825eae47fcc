"""An exponential moving average of the generator's weights, which is used for sampling."""

from copy import deepcopy

import torch
from torch import Tensor, nn


class AveragedGenerator(nn.Module):
    """Hold a copy of a generator with an exponential moving average of its parameters.

    Buffers, such as the statistics of batch norm, are copied. The copy has the same call signature as the generator.

    Args:
        generator: the network that is trained.
        decay: decay of the average, in (0, 1).
        start: the step after which averaging starts; until then the copy equals the generator.
    """

    def __init__(self, generator: nn.Module, decay: float, start: int = 0) -> None:
        super().__init__()
        self.network = deepcopy(generator).requires_grad_(False)
        self.decay, self.start = decay, start

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images (N, C, H, W) for latents z (N, d) and labels (N,) or None."""
        return self.network(z, labels)

    @torch.no_grad()
    def update(self, generator: nn.Module, step: int) -> None:
        """Update the average with the weights that `generator` has after step number `step`."""
        weight = 1 - (self.decay if step > self.start else 0.0)
        torch._foreach_lerp_(list(self.network.parameters()), list(generator.parameters()), weight)
        if buffers := list(generator.buffers()):
            torch._foreach_copy_(list(self.network.buffers()), buffers)
