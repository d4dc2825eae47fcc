"""Class terms beside an adversarial loss: G is asked for images of their label, by a network that knows the classes.

That network is a classifier of its own, or a head on the discriminator's trunk.
"""

from torch import Tensor
from torch.nn.functional import cross_entropy

from ganexp.losses.adversarial import Terms


class AuxiliaryClassifier:
    """Cross-entropy of class logits (N, K) with labels (N,). Odena et al. 2017, equations 2 and 3.

    Args:
        weight: in G's loss.
        on_fakes: a head on the discriminator learns from the fakes' labels too, as in the paper; a classifier of its
            own never does.
    """

    def __init__(self, weight: float, on_fakes: bool = True) -> None:
        self.weight, self.on_fakes = weight, on_fakes

    def classifier(self, on_real: Tensor, labels: Tensor) -> Terms:
        """What a classifier of its own minimises."""
        return {"class": cross_entropy(on_real, labels)}

    def discriminator(self, on_real: Tensor, real_labels: Tensor, on_fake: Tensor, labels: Tensor) -> Terms:
        """What the discriminator minimises beside its own loss when the class logits are its head's."""
        terms = {"class_real": cross_entropy(on_real, real_labels)}
        if self.on_fakes:
            terms["class_fake"] = cross_entropy(on_fake, labels)
        return terms

    def generator(self, on_fake: Tensor, labels: Tensor) -> Terms:
        return {"class": self.weight * cross_entropy(on_fake, labels)}
