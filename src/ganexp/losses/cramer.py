"""The Cramér GAN (Bellemare et al. 2017): the critic gives a vector h(x), G minimises an energy distance of vectors.

Where the paper draws two independent batches of fakes, each fake is paired with the next one of the same batch.
"""

import torch
from torch import Tensor

from ganexp.losses.adversarial import Terms
from ganexp.losses.penalties import Discriminator, check_epsilon, full, interpolate, squared_gradient_norm


def cramer_critic(h: Tensor, h_other: Tensor) -> Tensor:
    """f(x) = ‖h(x) - h(x')‖ - ‖h(x)‖ a sample (N,), for features h (N, k) and those of fakes x'. Algorithm 1."""
    return _length(h - h_other) - _length(h)


class Cramer:
    """The critic maximises E f(x) - E f(G(z)), G minimises E‖h(x)-h(G)‖ + E‖h(x)-h(G')‖ - E‖h(G)-h(G')‖."""

    sees_real = True  # G's loss is called with the critic's features of real images

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        other = d_fake.roll(1, 0)
        return {"real": -cramer_critic(d_real, other).mean(), "fake": cramer_critic(d_fake, other).mean()}

    def generator(self, d_fake: Tensor, d_real: Tensor) -> Terms:
        other = d_fake.roll(1, 0)
        between = _length(d_real - d_fake).mean() + _length(d_real - other).mean()
        return {"adversarial": between - _length(d_fake - other).mean()}


class CramerPenalty:
    """weight · E[(‖∇f(x̂)‖₂ - 1)²], x̂ between a real and a fake image, f against the next fake of the batch.

    The gradient flows into the features of both, so the second-order term is whole.
    """

    takes_vectors = True  # of the critic, where other penalties take one logit

    def __init__(self, weight: float, epsilon: str = "per_sample") -> None:
        check_epsilon(epsilon)
        self.weight, self.epsilon = weight, epsilon

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
        with torch.autocast(real.device.type, enabled=False):
            mixed = interpolate(full(real), full(fake), self.epsilon).requires_grad_()
            other = discriminator(full(fake), labels).roll(1, 0)
            output = cramer_critic(discriminator(mixed, labels), other)
            return self.weight * (squared_gradient_norm(output, mixed).sqrt() - 1).square().mean()


def _length(h: Tensor) -> Tensor:
    """‖h‖₂ (N, k) -> (N,), with a gradient at 0 too."""
    return h.square().sum(1).clamp_min(1e-24).sqrt()
