"""Auxiliary terms that train the generator, in addition to an adversarial loss, to draw images of the requested class.

An auxiliary term is an object with methods that are named after networks: `generator`, `discriminator`, or a further
network. Each method is called as `method(networks, batch)`: `networks` has all networks by name, and `batch` has the
images of the update (see `objective.Batch`). The method returns named scalar terms for the loss of the network that it
is named after. The attribute `networks` lists the further networks that the term trains.
"""

from torch import Tensor
from torch.nn.functional import cross_entropy

from ganexp.losses.adversarial import Terms
from ganexp.losses.objective import Batch, Networks
from ganexp.losses.penalties import to_float32
from ganexp.types import NonNegativeFloat


class ClassHead:
    """The cross-entropy of the class logits that the discriminator gives (Odena et al. 2017, equations 2 and 3).

    Use it when samples of a conditional generator do not match their labels. A large weight reduces the diversity
    within classes.

    Args:
        weight: weight of the term in the generator's loss.
        on_fakes: whether the discriminator learns the classes of generated images too, as in Odena et al. 2017.
    """

    networks: tuple[str, ...] = ()
    needs_class_logits = True

    def __init__(self, weight: NonNegativeFloat, on_fakes: bool = True) -> None:
        self.weight, self.on_fakes = weight, on_fakes

    def discriminator(self, networks: Networks, batch: Batch) -> Terms:
        """Return the terms of the discriminator: the cross-entropy on real and, if `on_fakes`, on generated images."""
        terms = {"class_real": class_loss(batch.class_real, batch.real_labels)}
        if self.on_fakes:
            terms["class_fake"] = class_loss(batch.class_fake, batch.fake_labels)
        return terms

    def generator(self, networks: Networks, batch: Batch) -> Terms:
        """Return the term of the generator: weight times the cross-entropy on generated images and their labels."""
        return {"class": self.weight * class_loss(batch.class_fake, batch.fake_labels)}


class SeparateClassifier:
    """The cross-entropy of a separate classifier, the network `classifier`, which learns from real images only.

    Source: the AC-WGAN-GP article. Use it when the discriminator should not share its features with a classifier.

    Args:
        weight: weight of the term in the generator's loss.
    """

    networks = ("classifier",)

    def __init__(self, weight: NonNegativeFloat) -> None:
        self.weight = weight

    def classifier(self, networks: Networks, batch: Batch) -> Terms:
        """Return the term of the classifier: the cross-entropy on real images and their labels."""
        return {"class": class_loss(to_float32(networks["classifier"](batch.real)), batch.real_labels)}

    def generator(self, networks: Networks, batch: Batch) -> Terms:
        """Return the term of the generator: weight times the classifier's cross-entropy on generated images."""
        class_fake = to_float32(networks["classifier"](batch.fake))
        return {"class": self.weight * class_loss(class_fake, batch.fake_labels)}


def class_loss(class_logits: Tensor | None, labels: Tensor | None) -> Tensor:
    """Return the mean cross-entropy between class logits (N, K) and labels (N,).

    Raises:
        ValueError: If the logits or the labels are None.

    Example:
        >>> import torch
        >>> class_loss(torch.zeros(4, 10), torch.tensor([0, 1, 2, 3]))  # log 10
        tensor(2.3026)
    """
    if class_logits is None or labels is None:
        missing = "class_logits" if class_logits is None else "labels"
        raise ValueError(f"{missing}=None: the class loss needs class logits and labels")
    return cross_entropy(class_logits, labels)
