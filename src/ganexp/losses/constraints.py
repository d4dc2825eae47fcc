"""Constraints on the discriminator's weights, called as `constraint(discriminator)` after each discriminator update."""

import torch
from torch import Tensor, nn

from ganexp.types import PositiveFloat


class WeightClipping:
    """Clamp every trained parameter of the critic to [-limit, limit] (Arjovsky et al. 2017, algorithm 1).

    Use it to reproduce this paper. A gradient penalty keeps a critic Lipschitz too, and the weights then do not pile
    up at the limits (Gulrajani et al. 2017, section 3).

    Args:
        limit: The maximum absolute value of a parameter.

    Example:
        >>> critic = nn.Linear(1, 1)
        >>> critic.weight.data.fill_(2.0)
        tensor([[2.]])
        >>> WeightClipping(limit=0.5)(critic)
        >>> critic.weight.tolist()
        [[0.5]]
    """

    def __init__(self, limit: PositiveFloat) -> None:
        self.limit = limit

    @torch.no_grad()
    def __call__(self, discriminator: nn.Module) -> None:
        """Clamp the parameters of `discriminator` in place, except for those with `requires_grad=False`."""
        parameters: list[Tensor] = [each for each in discriminator.parameters() if each.requires_grad]
        torch._foreach_clamp_min_(parameters, -self.limit)
        torch._foreach_clamp_max_(parameters, self.limit)
