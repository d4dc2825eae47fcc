"""A class term of the Wasserstein type: a critic for each class, instead of an auxiliary classifier."""

from torch import Tensor

from ganexp.autocast import without_autocast
from ganexp.losses.adversarial import Terms
from ganexp.losses.objective import Batch, Networks, split_class_logits
from ganexp.losses.penalties import interpolate, squared_gradient_norm, to_float32
from ganexp.types import NonNegativeFloat


class ClassCritic:
    """The k-th class output c_k is a Wasserstein critic that separates real images of class k from other real images.

    With K classes and a label y, the discriminator minimises E[Σ_{k≠y} c_k(x) / (K-1) - c_y(x)] on real images, plus
    penalty · E[(‖∇c_y(x̂)‖₂ - 1)²] at x̂ between two real images; the generator minimises -weight · E[c_y(G(z, y))].
    This term has the Wasserstein loss of Arjovsky et al. 2017 (equation 3) and the penalty of Gulrajani et al. 2017
    (equation 3); the loss of `ClassHead` has a logarithm and no penalty. The penalty keeps the outputs bounded. With
    the penalty, the discriminator must not use batch norm. `ClassCritic` is an experiment. Use it to compare its loss
    with the loss of `ClassHead`; for good samples, use `ClassHead`.

    Args:
        weight: Weight of the term in the generator's loss.
        penalty: Factor of the gradient penalty; 0 leaves it out, for a discriminator with spectral norm.

    Example:
        >>> import torch
        >>> scores = torch.tensor([[3.0, 0.0, 1.0], [0.0, 2.0, 2.0]])
        >>> labels = torch.tensor([0, 1])
        >>> class_margin(scores, labels).tolist()  # 3 - 1/2, 2 - 2/2
        [2.5, 1.0]
    """

    networks: tuple[str, ...] = ()
    needs_class_logits = True

    def __init__(self, weight: NonNegativeFloat, penalty: NonNegativeFloat = 10.0) -> None:
        self.weight, self.penalty = weight, penalty

    @property
    def needs_gradient(self) -> bool:
        """Whether the term needs a separate gradient for each sample, which batch norm does not allow."""
        return self.penalty > 0

    def discriminator(self, networks: Networks, batch: Batch) -> Terms:
        """Return the terms of the discriminator: minus the mean margin on real images, and the penalty."""
        class_real, labels = _required(batch.class_real, batch.real_labels)
        terms = {"class_critic": -class_margin(class_real, labels).mean()}
        if self.penalty:
            terms["class_penalty"] = self.penalty * self._penalty(networks, batch.real, labels)
        return terms

    def generator(self, networks: Networks, batch: Batch) -> Terms:
        """Return the term of the generator: minus weight times the mean class output for the labels of its images."""
        class_fake, labels = _required(batch.class_fake, batch.fake_labels)
        return {"class_critic": -self.weight * _own(class_fake, labels).mean()}

    def _penalty(self, networks: Networks, real: Tensor, labels: Tensor) -> Tensor:
        """Return E[(‖∇c_y(x̂)‖₂ - 1)²], with x̂ between each image and the previous one in the batch."""
        with without_autocast(real.device):
            images = to_float32(real).detach()
            mixed = interpolate(images, images.roll(1, 0), "per_sample").requires_grad_()
            _, scores = split_class_logits(networks["discriminator"](mixed, labels))
            squares = squared_gradient_norm(_own(*_required(scores, labels)), mixed)
            return (squares.sqrt() - 1).square().mean()


def class_margin(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the score of the label minus the mean score of the other classes: scores (N, K), labels (N,) -> (N,)."""
    own = _own(scores, labels)
    return own - (scores.sum(1) - own) / (scores.shape[1] - 1)


def _own(scores: Tensor, labels: Tensor) -> Tensor:
    return scores.gather(1, labels[:, None]).squeeze(1)  # (N, K), (N,) -> (N,)


def _required(scores: Tensor | None, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return both arguments, after checking that neither of the two is None.

    Raises:
        ValueError: One of the arguments is None.
    """
    if scores is None or labels is None:
        missing = "class_logits" if scores is None else "labels"
        raise ValueError(f"{missing}=None: the class critic needs class logits and labels")
    return scores, labels
