"""The loss and the penalty of the Cramér GAN (Bellemare et al. 2017).

The critic maps an image x to a vector h(x), and the generator minimises an energy distance between the vectors of real
and of generated images. The paper draws two independent batches of generated images, G and G'; here, G' is the batch G
shifted by one sample.
"""

import torch
from torch import Tensor

from ganexp.autocast import without_autocast
from ganexp.losses.adversarial import Terms
from ganexp.losses.penalties import Discriminator, Epsilon, Seen, interpolate, squared_gradient_norm, to_float32
from ganexp.types import NonNegativeFloat


class Cramer:
    """The critic maximises E f(x) - E f(G(z)), the generator minimises E‖h(x)-h(G)‖ + E‖h(x)-h(G')‖ - E‖h(G)-h(G')‖.

    The critic's outputs are vectors (N, k); `cramer_critic` computes f. Within h(…), G and G' are two batches of
    generated images.

    Source: Bellemare et al. 2017, algorithm 1. Use it when the generator needs an unbiased gradient from a critic that
    is far from its optimum.

    Example:
        >>> h_fake, h_real = torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([[3.0, 4.0], [3.0, 4.0]])
        >>> Cramer().generator(h_fake, h_real)  # 5 + 5 - 0
        {'adversarial': tensor(10.)}
    """

    generator_needs_real = True
    least_images = 3  # the losses compare an image with the images one and two positions before it

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        """Return the means of -f(x) and f(G(z))."""
        other = d_fake.roll(1, 0)
        return {"real": -cramer_critic(d_real, other).mean(), "fake": cramer_critic(d_fake, other).mean()}

    def generator(self, d_fake: Tensor, d_real: Tensor | None = None) -> Terms:
        """Return the energy distance E‖h(x)-h(G)‖ + E‖h(x)-h(G')‖ - E‖h(G)-h(G')‖.

        Raises:
            ValueError: If `d_real` is None.
        """
        if d_real is None:
            raise ValueError("d_real=None: the generator's loss needs the critic's outputs on real images")
        # images at the same position in both batches may have the same label; shifting makes x, G and G' independent
        d_real, other = d_real.roll(2, 0), d_fake.roll(1, 0)
        between = _norm(d_real - d_fake).mean() + _norm(d_real - other).mean()
        return {"adversarial": between - _norm(d_fake - other).mean()}


class CramerPenalty:
    """weight · E[(‖∇f(x̂)‖₂ - 1)²] at x̂ between a real and a generated image (Bellemare et al. 2017, algorithm 1).

    By default, the gradient of the penalty flows through h(x̂) and h(G'), so that the second-order term is complete.
    h(G') is not computed again: the penalty uses the same outputs as the loss, in the precision of the critic's forward
    pass.

    Use it with `Cramer` only.

    Args:
        weight: Factor of the penalty.
        epsilon: `per_sample` draws one ε ~ U(0, 1) for each image, and `per_element` draws one ε for each pixel and
            channel, as in `GradientPenalty`.
        detach_vectors: Whether to treat h(x̂) and h(G') as constants in ∂f/∂h, as in chainer-gan-lib. The value of
            the penalty is then the same, but its gradient lacks a part of the second-order term.

    Example:
        >>> def discriminator(images, labels):
        ...     return 3 * images.flatten(1)
        >>> images = torch.ones(2, 1, 1, 1), torch.full((2, 1, 1, 1), 2.0)
        >>> real, fake = (Seen(each, None, discriminator(each, None)) for each in images)
        >>> # Between the two images, f(x) = (6 - 3x) - 3x has the slope -6: 10·(6 - 1)²
        >>> round(CramerPenalty(weight=10.0).of_outputs(discriminator, real, fake).item(), 3)
        250.0
    """

    takes_vectors = True

    def __init__(self, weight: NonNegativeFloat, epsilon: Epsilon = "per_sample", detach_vectors: bool = False) -> None:
        self.weight, self.epsilon, self.detach_vectors = weight, epsilon, detach_vectors

    def of_outputs(self, discriminator: Discriminator, real: Seen, fake: Seen) -> Tensor:
        """Return the penalty, a scalar."""
        with without_autocast(real.images.device):
            mixed = interpolate(to_float32(real.images), to_float32(fake.images), self.epsilon).requires_grad_()
            h, other = discriminator(mixed, real.labels), fake.output.roll(1, 0)
            output = _linearised_critic(h, other) if self.detach_vectors else cramer_critic(h, other)
            return self.weight * (squared_gradient_norm(output, mixed).sqrt() - 1).square().mean()


def cramer_critic(h: Tensor, h_other: Tensor) -> Tensor:
    """Return f(x) = ‖h(x) - h(G')‖ - ‖h(x)‖ (N,) from vectors (N, k) (Bellemare et al. 2017, algorithm 1).

    Example:
        >>> cramer_critic(torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, 0.0]]))  # 4 - 5
        tensor([-1.])
    """
    return _norm(h - h_other) - _norm(h)


def _linearised_critic(h: Tensor, h_other: Tensor) -> Tensor:
    """Return the inner product <∂f/∂h, h> (N,), where ∂f/∂h is treated as a constant.

    The inner product and f have the same gradient with respect to the image.
    """
    constant = h.detach().requires_grad_()
    (slope,) = torch.autograd.grad(cramer_critic(constant, h_other.detach()).sum(), constant)
    return (slope * h).sum(1)


def _norm(h: Tensor) -> Tensor:
    """Return ‖h‖₂: (N, k) -> (N,), with a finite gradient at 0."""
    return h.square().sum(1).clamp_min(1e-24).sqrt()
