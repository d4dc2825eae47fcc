"""The loss of BEGAN (Berthelot et al. 2017), whose discriminator is an auto-encoder."""

import torch
from torch import Tensor, nn

from ganexp.losses.adversarial import Terms
from ganexp.types import NonNegativeFloat, PositiveFloat


class Began(nn.Module):
    """D minimises L(x) - k·L(G(z)), G minimises L(G(z)), with L the reconstruction error of the auto-encoder D.

    k keeps E L(G(z)) near gamma·E L(x): after each update of D, k ← k + rate·(gamma·L(x) - L(G(z))), clamped to [0, 1].
    In this rule, L(x) and L(G(z)) come from D's own update. Source: Berthelot et al. 2017, section 3.4; there, the rule
    for k uses the L(G(z)) of the generator's update.

    D's outputs are reconstruction errors (N,). `values` returns k and the measure of convergence
    M = L(x) + |gamma·L(x) - L(G(z))|, section 3.4.1.

    Use it when smooth images are more important than diverse images, or when a measure of convergence is needed.

    Args:
        gamma: Target for the ratio E L(G(z)) / E L(x); lower values give fewer modes and sharper images.
        rate: Learning rate of k; λ_k in Berthelot et al. 2017.

    Example:
        >>> loss = Began(gamma=0.5, rate=0.1)
        >>> loss.discriminator(torch.tensor([4.0, 4.0]), torch.tensor([1.0, 1.0]))  # k = 0
        {'real': tensor(4.), 'fake': tensor(-0.)}
        >>> loss.values()  # k = 0.1·(0.5·4 - 1), M = 4 + |0.5·4 - 1|
        {'k': tensor(0.1000), 'convergence': tensor(5.)}
    """

    takes = "reconstruction errors"  # the outputs that a discriminator must return
    suits = "model=autoencoder"
    boundary = None

    k: Tensor
    convergence: Tensor

    def __init__(self, gamma: PositiveFloat, rate: NonNegativeFloat) -> None:
        super().__init__()
        self.gamma, self.rate = gamma, rate
        self.register_buffer("k", torch.zeros(()))
        self.register_buffer("convergence", torch.zeros(()))

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        """Return the means of L(x) and -k·L(G(z)), and update k."""
        real, fake = d_real.mean(), d_fake.mean()
        k = self._k()
        terms = {"real": real, "fake": -k * fake}
        balance = self.gamma * real.detach() - fake.detach()
        self.k = k + self.rate * balance  # a new tensor: the term above still needs the old one
        self.convergence = real.detach() + balance.abs()
        return terms

    def generator(self, d_fake: Tensor, d_real: Tensor | None = None) -> Terms:
        """Return the mean of L(G(z))."""
        return {"adversarial": d_fake.mean()}

    def logit(self, d: Tensor) -> Tensor:
        """Return -L (N,), which is higher for images with a lower reconstruction error."""
        return -d

    def values(self) -> Terms:
        """Return k and the measure of convergence M, both from the discriminator's last update."""
        return {"k": self._k(), "convergence": self.convergence}

    def _k(self) -> Tensor:
        """Return k clamped to [0, 1].

        The stored k is not clamped, so that its mean over devices, or over parts of a batch, equals the k that one
        batch of all images would give.
        """
        return self.k.clamp(0, 1)
