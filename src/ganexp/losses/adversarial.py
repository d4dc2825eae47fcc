"""Adversarial losses, named after their formulas.

A loss is a class with these two methods, which return named scalar terms. Each network minimises the sum of its terms.

- `discriminator(d_real, d_fake)` takes the discriminator's outputs on real images and on generated images.
- `generator(d_fake, d_real=None)` takes the outputs on generated images. The outputs on real images are passed too,
  without a gradient, if the class attribute `generator_needs_real` is True.

Outputs are logits (N,) unless the class states another shape. In formulas, D is the discriminator, G the generator, x a
real image and z a latent; in formulas with a logarithm, D(x) = sigmoid(logit).
If each generated image is compared with the real image at the same position in the batch, `pairs_images` is True; in
a conditional GAN, the two images must then have the same class.
If the loss compares outputs with each other, `least_images` is the smallest number of images that each part of a batch
must have; the default is 1.
If the outputs are not logits, the loss may define `logit(d)`, which converts them to logits (N,) for the diagnostics.
D classifies an image as real if its logit is above the class attribute `boundary`, whose default is 0. `boundary` is
None if D does not classify images.
If sigmoid(logit) is D's probability that an image is real, the class attribute `estimates_probability` is True.
The attribute `discriminator_floor` is the smallest possible sum of D's terms. A D that separates all images reaches
this sum, and `callbacks/guard.py` then reports a failure. The attribute is missing or None if the sum has no lower
bound, or if the sum does not reach this bound when training fails.
If a loss needs outputs that only some discriminators return, its class attribute `takes` names these outputs, and the
class attribute `returns` of these discriminators names them too. The attribute `suits` of the loss is the override that
chooses such a discriminator, and the attribute `suits` of the discriminator is the override that chooses such a loss.
"""

import math
from typing import Annotated, Protocol

import torch
from annotated_types import MaxLen, MinLen
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, relu

from ganexp.autocast import without_autocast
from ganexp.types import PositiveFloat

Terms = dict[str, Tensor]
Interval = Annotated[list[PositiveFloat], MinLen(2), MaxLen(2)]  # [low, high]


class AdversarialLoss(Protocol):
    """Protocol of an adversarial loss, see the docstring of this module."""

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        """Return the discriminator's terms, given its outputs on real and on generated images."""

    def generator(self, d_fake: Tensor, d_real: Tensor | None = None) -> Terms:
        """Return the generator's terms."""


class RealTargets:
    """D's targets on real images.

    Args:
        real_target: one number for all images; or `[low, high]`, to draw a number for every image uniformly from this
            interval.

    Raises:
        ValueError: If `real_target` is a list whose first number is above the second.
    """

    def __init__(self, real_target: PositiveFloat | Interval) -> None:
        self.low, self.high = real_target if isinstance(real_target, list) else (real_target, real_target)
        if self.low > self.high:
            raise ValueError(f"real_target={real_target}: use a number, or [low, high] with low ≤ high")

    def draw(self, like: Tensor) -> Tensor:
        """Return one target for each element of `like`, in a tensor with the shape, type and device of `like`."""
        if self.low == self.high:
            return torch.full_like(like, self.low)
        return torch.empty_like(like).uniform_(self.low, self.high)

    @property
    def entropy(self) -> float | None:
        """The smallest mean cross-entropy with the targets, in nats; None if there is no lower bound.

        There is no lower bound if the mean target is above 1.
        """
        mean = (self.low + self.high) / 2
        if mean > 1:
            return None
        return -sum(share * math.log(share) for share in (mean, 1 - mean) if share > 0)


class NonSaturating:
    """D minimises -log D(x) - log(1 - D(G(z))), G minimises -log D(G(z)) (Goodfellow et al. 2014, section 3).

    Use it as the standard loss for logits, with batch norm or spectral norm in D. If D's loss tends to 0, add a penalty
    such as R1.

    Args:
        real_target: D's target on real images. A number below 1 is one-sided label smoothing (Salimans et al. 2016,
            section 3.4); `[low, high]` draws a target for every image uniformly from this interval. If the mean target
            is above 1, the loss of D has no lower bound.
        probabilities: Whether to compute the cross-entropy from sigmoid(logit) with torch's BCELoss, as older code
            does. Where the sigmoid rounds to 0 or 1 (in float32 from logits of about 17 upwards), the loss is clamped
            to 100 and its gradient is 0; at very negative logits the gradient becomes inaccurate.

    Raises:
        ValueError: If `real_target` is a list whose first number is above the second, or if a target is above 1 and
            `probabilities` is true.

    Example:
        >>> undecided = torch.zeros(4)  # logits for D = 1/2, and -log(1/2) = 0.6931
        >>> NonSaturating().discriminator(undecided, undecided)
        {'real': tensor(0.6931), 'fake': tensor(0.6931)}
        >>> NonSaturating().generator(undecided)
        {'adversarial': tensor(0.6931)}
    """

    estimates_probability = True

    def __init__(self, real_target: PositiveFloat | Interval = 1.0, probabilities: bool = False) -> None:
        self.real_targets = RealTargets(real_target)
        self.probabilities = probabilities
        if probabilities and self.real_targets.high > 1:
            raise ValueError(f"real_target={real_target}: targets above 1 need loss.probabilities=false")

    @property
    def discriminator_floor(self) -> float | None:
        """The smallest sum of D's terms: the entropy of the targets on real images; None if there is no lower bound."""
        return self.real_targets.entropy

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        """Return the mean of -t·log D(x) - (1 - t)·log(1 - D(x)) with target t, and of -log(1 - D(G(z)))."""
        target = self.real_targets.draw(d_real)
        return {"real": self._cross_entropy(d_real, target), "fake": self._cross_entropy(d_fake, 0.0)}

    def generator(self, d_fake: Tensor, d_real: Tensor | None = None) -> Terms:
        """Return the mean of -log D(G(z))."""
        return {"adversarial": self._cross_entropy(d_fake, 1.0)}

    def _cross_entropy(self, logits: Tensor, target: Tensor | float) -> Tensor:
        """Return the mean of -t·log D - (1 - t)·log(1 - D) over logits (N,), for targets t (N,) or one number."""
        target = target if isinstance(target, Tensor) else torch.full_like(logits, target)
        if not self.probabilities:
            return binary_cross_entropy_with_logits(logits, target)
        with without_autocast(logits.device):  # torch refuses binary_cross_entropy in half precision
            probabilities = logits.float().sigmoid()
            loss = binary_cross_entropy(probabilities.nan_to_num(0.5), target.float())
            # NaN in the logits gives NaN here; within `binary_cross_entropy`, NaN would end the process on a GPU
            return loss + 0 * probabilities.detach().sum()


class Saturating(NonSaturating):
    """D minimises the loss of `NonSaturating`, G minimises log(1 - D(G(z))) (Goodfellow et al. 2014, equation 1).

    Use it for a comparison with `NonSaturating`: the gradient of this loss vanishes while D recognises all generated
    images, as D often does early in a run.

    Example:
        >>> Saturating().generator(torch.zeros(4))  # log(1/2)
        {'adversarial': tensor(-0.6931)}
    """

    def generator(self, d_fake: Tensor, d_real: Tensor | None = None) -> Terms:
        """Return the mean of log(1 - D(G(z)))."""
        return {"adversarial": -self._cross_entropy(d_fake, 0.0)}


class TwoClass:
    """Softmax cross-entropy on logits (N, 2), where class 0 is fake and class 1 is real.

    D classifies real and generated images; G minimises the cross-entropy on its images, with class 1 as the target.

    If the difference of the two logits is taken as the logit, the loss is equal to that of `NonSaturating` (Goodfellow
    et al. 2014). Use it to reproduce a discriminator with a softmax over two classes.

    Args:
        real_target: the weight t of class 1 in D's cross-entropy on real images, -t·log p₁ - (1 - t)·log p₀. Use one
            number for all images, or `[low, high]` to draw a number for every image uniformly from this interval. A
            number below 1 is one-sided label smoothing (Salimans et al. 2016, section 3.4). If the mean target is above
            1, the loss of D has no lower bound.

    Raises:
        ValueError: If `real_target` is a list whose first number is above the second.

    Example:
        >>> TwoClass().generator(torch.tensor([[2.0, 2.0]]))  # both classes have the probability 1/2
        {'adversarial': tensor(0.6931)}
        >>> TwoClass().logit(torch.tensor([[1.0, 3.0]]))
        tensor([2.])
    """

    estimates_probability = True

    def __init__(self, real_target: PositiveFloat | Interval = 1.0) -> None:
        self.real_targets = RealTargets(real_target)

    @property
    def discriminator_floor(self) -> float | None:
        """The smallest sum of D's terms: the entropy of the targets on real images; None if there is no lower bound."""
        return self.real_targets.entropy

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        """Return the cross-entropy on real images (class 1 has weight t) and generated images (target: class 0)."""
        return {"real": self._real_term(d_real), "fake": _cross_entropy_with(d_fake, 0)}

    def generator(self, d_fake: Tensor, d_real: Tensor | None = None) -> Terms:
        """Return the cross-entropy on generated images, with class 1 as the target."""
        return {"adversarial": _cross_entropy_with(d_fake, 1)}

    def _real_term(self, d_real: Tensor) -> Tensor:
        if self.real_targets.low == self.real_targets.high == 1:
            return _cross_entropy_with(d_real, 1)
        target = self.real_targets.draw(d_real[:, 0])
        log_p = d_real.log_softmax(1)
        return -(target * log_p[:, 1] + (1 - target) * log_p[:, 0]).mean()

    def logit(self, d: Tensor) -> Tensor:
        """Return the log-odds of class 1: (N, 2) -> (N,)."""
        return d[:, 1] - d[:, 0]


class Hinge:
    """D minimises max(0, 1 - D(x)) + max(0, 1 + D(G(z))), G minimises -D(G(z)), with D the logit (Lim and Ye 2017).

    Use it when D has spectral norm (Miyato et al. 2018): with this loss, D stops learning from images that it separates
    by a margin of 1.

    Example:
        >>> Hinge().discriminator(torch.tensor([0.5, 2.0]), torch.tensor([-3.0, 0.0]))  # (0.5 + 0)/2, (0 + 1)/2
        {'real': tensor(0.2500), 'fake': tensor(0.5000)}
        >>> Hinge().generator(torch.tensor([1.0, 3.0]))
        {'adversarial': tensor(-2.)}
    """

    discriminator_floor = 0.0

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        """Return the means of max(0, 1 - D(x)) and max(0, 1 + D(G(z)))."""
        return {"real": relu(1 - d_real).mean(), "fake": relu(1 + d_fake).mean()}

    def generator(self, d_fake: Tensor, d_real: Tensor | None = None) -> Terms:
        """Return the mean of -D(G(z))."""
        return {"adversarial": -d_fake.mean()}


class LeastSquares:
    """D minimises ½(D(x) - 1)² + ½D(G(z))², G minimises ½(D(G(z)) - 1)², with D the logit.

    Source: Mao et al. 2017, equation 9.

    Use it when D separates the images so well that a cross-entropy has no gradient left: with this loss, images far
    from the decision boundary still have a gradient.

    Example:
        >>> LeastSquares().discriminator(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 4.0]))  # (0 + 4)/4, (0 + 16)/4
        {'real': tensor(1.), 'fake': tensor(4.)}
        >>> LeastSquares().generator(torch.tensor([3.0]))  # (3 - 1)²/2
        {'adversarial': tensor(2.)}
    """

    boundary = 0.5  # halfway between the targets
    discriminator_floor = 0.0

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        """Return the means of ½(D(x) - 1)² and ½D(G(z))²."""
        return {"real": 0.5 * (d_real - 1).square().mean(), "fake": 0.5 * d_fake.square().mean()}

    def generator(self, d_fake: Tensor, d_real: Tensor | None = None) -> Terms:
        """Return the mean of ½(D(G(z)) - 1)²."""
        return {"adversarial": 0.5 * (d_fake - 1).square().mean()}


class Wasserstein:
    """The critic minimises D(G(z)) - D(x), G minimises -D(G(z)) (Arjovsky et al. 2017, equation 3).

    The critic must be Lipschitz: use `WeightClipping`, a gradient penalty or spectral norm.

    Use it when the losses should show progress: the negative of the critic's loss is an estimate of the Wasserstein
    distance between real and generated images.

    Example:
        >>> Wasserstein().discriminator(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0]))
        {'real': tensor(-2.), 'fake': tensor(0.5000)}
        >>> Wasserstein().generator(torch.tensor([0.0, 1.0]))
        {'adversarial': tensor(-0.5000)}
    """

    boundary = None

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        """Return the means of -D(x) and D(G(z))."""
        return {"real": -d_real.mean(), "fake": d_fake.mean()}

    def generator(self, d_fake: Tensor, d_real: Tensor | None = None) -> Terms:
        """Return the mean of -D(G(z))."""
        return {"adversarial": -d_fake.mean()}


def _cross_entropy_with(logits: Tensor, index: int) -> Tensor:
    """Return the mean cross-entropy of logits (N, classes) with class `index` as the target of every sample."""
    target = torch.full((len(logits),), index, device=logits.device)
    return cross_entropy(logits, target)
