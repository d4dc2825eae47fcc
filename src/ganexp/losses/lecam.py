"""LeCam regularisation of the discriminator's outputs, for training on few images (Tseng et al. 2021)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from ganexp.losses.penalties import Discriminator, Seen
from ganexp.types import BelowOne, NonNegativeFloat, PositiveInt


class LeCam(nn.Module):
    """weight · (E[max(0, D(x) - a_fake)²] + E[max(0, a_real - D(G(z)))²]), with D the logit.

    a_real and a_fake are moving averages of the means of D(x) and D(G(z)) over earlier updates. The penalty therefore
    limits the distance between D's outputs on real and on generated images. In the first `start` updates, the penalty
    is 0, and a_real and a_fake are the means of the previous update. Source: Tseng et al. 2021, equations 4 and 5, and
    the authors' code, which adds max(0, ·).

    Use it when there are few training images, so that D's outputs on real and on generated images move ever further
    apart.

    Args:
        weight: Factor of the penalty.
        decay: Decay of both moving averages.
        start: Number of updates of D before the penalty is used.

    Example:
        >>> def seen(output):
        ...     return Seen(torch.zeros(1, 1, 1, 1), None, torch.tensor([output]))
        >>> lecam = LeCam(weight=0.5, decay=0.9, start=1)
        >>> lecam.of_outputs(None, seen(2.0), seen(-1.0)).item()  # a_real becomes 2, and a_fake becomes -1
        0.0
        >>> lecam.of_outputs(None, seen(3.0), seen(1.0)).item()  # 0.5·((3 + 1)² + (2 - 1)²)
        8.5
    """

    needs_gradient, needs_logits = False, True

    real: Tensor
    fake: Tensor
    updates: Tensor

    def __init__(self, weight: NonNegativeFloat, decay: BelowOne, start: PositiveInt) -> None:
        super().__init__()
        self.weight, self.decay, self.start = weight, decay, start
        for name in ("real", "fake", "updates"):
            self.register_buffer(name, torch.zeros(()))

    def of_outputs(self, discriminator: Discriminator, real: Seen, fake: Seen) -> Tensor:
        """Return the penalty, a scalar, and update the averages."""
        d_real, d_fake = real.output, fake.output  # (N,) each
        has_started = self.updates >= self.start
        distance = relu(d_real - self.fake).square().mean() + relu(self.real - d_fake).square().mean()
        decay = self.decay * has_started
        # new tensors: the term above still needs the old ones
        self.real = torch.lerp(d_real.detach().mean(), self.real, decay)
        self.fake = torch.lerp(d_fake.detach().mean(), self.fake, decay)
        self.updates = self.updates + 1
        return self.weight * has_started * distance
