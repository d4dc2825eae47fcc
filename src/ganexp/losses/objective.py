"""An adversarial loss with what is listed beside it: penalties on D, a constraint on D's weights."""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from ganexp.losses.adversarial import Terms
from ganexp.losses.penalties import Discriminator


class Adversarial(Protocol):
    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms: ...
    def generator(self, d_fake: Tensor) -> Terms: ...


class Objective:
    """Named terms for both networks; the GAN minimises each network's sum.

    Args:
        adversarial: the pair of losses.
        penalties: by name, each called with (discriminator, real, fake, labels).
        constraint: called with the discriminator after each of its updates.
    """

    def __init__(
        self,
        adversarial: Adversarial,
        penalties: dict[str, Callable[[Discriminator, Tensor, Tensor, Tensor | None], Tensor]] | None = None,
        constraint: Callable[[nn.Module], None] | None = None,
    ) -> None:
        self.adversarial = adversarial
        self.penalties = penalties or {}
        self.constraint = constraint

    def discriminator(
        self,
        network: Discriminator,
        real: Tensor,
        real_labels: Tensor | None,
        fake: Tensor,
        labels: Tensor | None,
    ) -> Terms:
        """Terms of D for images (N, C, H, W) and labels (N,) or None; `fake` carries no gradient."""
        terms = self.adversarial.discriminator(network(real, real_labels), network(fake, labels))
        for name, penalty in self.penalties.items():
            terms[name] = penalty(network, real, fake, real_labels)
        return terms

    def generator(self, network: Discriminator, fake: Tensor, labels: Tensor | None) -> Terms:
        """Terms of G for its own images (N, C, H, W), gradient included."""
        return self.adversarial.generator(network(fake, labels))
