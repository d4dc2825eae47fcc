"""An adversarial loss with what is listed beside it: penalties on D, class terms, a constraint on D's weights."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganexp.losses.adversarial import Terms
from ganexp.losses.auxiliary import AuxiliaryClassifier
from ganexp.losses.penalties import Discriminator, full


class Objective:
    """Named terms for every network; the GAN minimises each network's sum.

    Args:
        adversarial: the pair of losses; one with `sees_real` is given D's output on real images in G's update too.
        penalties: by name, each called with (discriminator, real, fake, labels).
        constraint: called with the discriminator after each of its updates.
        auxiliary: class terms, of class logits that D gives beside its own or that a classifier gives.
    """

    def __init__(
        self,
        adversarial: object,
        penalties: dict[str, Callable[[Discriminator, Tensor, Tensor, Tensor | None], Tensor]] | None = None,
        constraint: Callable[[nn.Module], None] | None = None,
        auxiliary: AuxiliaryClassifier | None = None,
    ) -> None:
        self.adversarial, self.auxiliary = adversarial, auxiliary
        self.penalties = penalties or {}
        self.constraint = constraint

    def discriminator(
        self,
        network: nn.Module,
        real: Tensor,
        real_labels: Tensor | None,
        fake: Tensor,
        labels: Tensor | None,
    ) -> Terms:
        """Terms of D for images (N, C, H, W) and labels (N,) or None; `fake` carries no gradient."""
        d_real, class_real = _parts(network(real, real_labels))
        d_fake, class_fake = _parts(network(fake, labels))
        terms = self.adversarial.discriminator(d_real, d_fake)
        for name, penalty in self.penalties.items():
            terms[name] = penalty(lambda x, y: _parts(network(x, y))[0], real, fake, real_labels)
        if class_real is not None:
            terms |= self.auxiliary.discriminator(class_real, real_labels, class_fake, labels)
        return terms

    def classifier(self, network: nn.Module, real: Tensor, labels: Tensor) -> Terms:
        """Terms of the classifier, which sees real images alone."""
        return self.auxiliary.classifier(full(network(real)), labels)

    def generator(
        self,
        network: nn.Module,
        fake: Tensor,
        labels: Tensor | None,
        real: Tensor,
        real_labels: Tensor | None,
        classifier: nn.Module | None = None,
    ) -> Terms:
        """Terms of G for its own images (N, C, H, W), gradient included."""
        d_fake, class_fake = _parts(network(fake, labels))
        if getattr(self.adversarial, "sees_real", False):
            with torch.no_grad():
                d_real, _ = _parts(network(real, real_labels))
            terms = self.adversarial.generator(d_fake, d_real)
        else:
            terms = self.adversarial.generator(d_fake)
        if classifier is not None:
            class_fake = full(classifier(fake))
        if class_fake is not None:
            terms |= self.auxiliary.generator(class_fake, labels)
        return terms

    def logit(self, network: nn.Module, images: Tensor, labels: Tensor | None) -> Tensor | None:
        """How real D takes images (N, C, H, W) to be: one number each (N,), or None of a D that gives vectors."""
        output, _ = _parts(network(images, labels))
        if hasattr(self.adversarial, "logit"):
            output = self.adversarial.logit(output)
        return output if output.ndim == 1 else None


def _parts(output: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor | None]:
    """A discriminator's own output, and its class logits (N, K) where it has such a head; losses are taken in fp32."""
    logits, classes = output if isinstance(output, tuple) else (output, None)
    return full(logits), None if classes is None else full(classes)
