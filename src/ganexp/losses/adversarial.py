"""Adversarial losses, named by formula, with D = sigmoid(logit).

A loss is a pair of methods. `discriminator(d_real, d_fake)` and `generator(d_fake)` take the discriminator's
outputs as they come, logits (N,) unless said otherwise, and return named scalar terms; the GAN minimises their sum.
One whose outputs are not logits may have `logit(d)`, which makes them so, to be watched.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, relu

Terms = dict[str, Tensor]


class NonSaturating:
    """D minimises -log D(x) - log(1 - D(G(z))), G minimises -log D(G(z)). Goodfellow et al. 2014, section 3.

    Args:
        real_target: what D is asked to answer on real images: a number, one-sided label smoothing where it is below 1
            (Salimans et al. 2016, section 3.4); or [low, high], drawn anew for every image. Above 1 the loss of D has
            no lower bound.
        probabilities: cross-entropy of sigmoid(logit) by torch's BCELoss. The same, but for sure logits: where the
            sigmoid rounds to 0 or 1 (from 17 on in fp32, upwards) the loss is 100 and its gradient 0; far below 0 the
            gradient fades.
    """

    def __init__(self, real_target: float | list[float] = 1.0, probabilities: bool = False) -> None:
        targets = real_target if isinstance(real_target, list) else [real_target, real_target]
        if len(targets) != 2 or not 0 < targets[0] <= targets[1]:
            raise ValueError(f"real_target={real_target}: use a number above 0, or [low, high]")
        self.low, self.high = targets
        self.probabilities = probabilities

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        if self.low == self.high:
            target = torch.full_like(d_real, self.low)
        else:
            target = torch.empty_like(d_real).uniform_(self.low, self.high)
        return {"real": self._cross_entropy(d_real, target), "fake": self._cross_entropy(d_fake, 0.0)}

    def generator(self, d_fake: Tensor) -> Terms:
        return {"adversarial": self._cross_entropy(d_fake, 1.0)}

    def _cross_entropy(self, logits: Tensor, target: Tensor | float) -> Tensor:
        """-t·log D - (1 - t)·log(1 - D), the mean over logits (N,)."""
        target = target if isinstance(target, Tensor) else torch.full_like(logits, target)
        if not self.probabilities:
            return binary_cross_entropy_with_logits(logits, target)
        with torch.autocast(logits.device.type, enabled=False):  # torch refuses it in half precision
            return binary_cross_entropy(logits.float().sigmoid(), target.float())


class Saturating(NonSaturating):
    """D as in `NonSaturating`, G minimises log(1 - D(G(z))). Goodfellow et al. 2014, equation 1."""

    def generator(self, d_fake: Tensor) -> Terms:
        return {"adversarial": -self._cross_entropy(d_fake, 0.0)}


class TwoClass:
    """Softmax cross-entropy on logits (N, 2): class 0 is fake, class 1 is real; G asks for class 1."""

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        return {"real": _to_class(d_real, 1), "fake": _to_class(d_fake, 0)}

    def generator(self, d_fake: Tensor) -> Terms:
        return {"adversarial": _to_class(d_fake, 1)}

    def logit(self, d: Tensor) -> Tensor:
        """(N, 2) -> (N,): the log-odds of real."""
        return d[:, 1] - d[:, 0]


def _to_class(logits: Tensor, index: int) -> Tensor:
    target = torch.full((len(logits),), index, device=logits.device)
    return cross_entropy(logits, target)


class Hinge:
    """D minimises max(0, 1 - D(x)) + max(0, 1 + D(G(z))), G minimises -D(G(z)). Lim and Ye 2017."""

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        return {"real": relu(1 - d_real).mean(), "fake": relu(1 + d_fake).mean()}

    def generator(self, d_fake: Tensor) -> Terms:
        return {"adversarial": -d_fake.mean()}


class LeastSquares:
    """D minimises ½(D(x) - 1)² + ½D(G(z))², G minimises ½(D(G(z)) - 1)². Mao et al. 2017, equation 9."""

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        return {"real": 0.5 * (d_real - 1).square().mean(), "fake": 0.5 * d_fake.square().mean()}

    def generator(self, d_fake: Tensor) -> Terms:
        return {"adversarial": 0.5 * (d_fake - 1).square().mean()}


class Wasserstein:
    """The critic minimises D(G(z)) - D(x), G minimises -D(G(z)). Arjovsky et al. 2017, equation 3.

    Holds only for a Lipschitz critic: use it with `WeightClipping`, a gradient penalty or spectral norm.
    """

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        return {"real": -d_real.mean(), "fake": d_fake.mean()}

    def generator(self, d_fake: Tensor) -> Terms:
        return {"adversarial": -d_fake.mean()}


class WeightClipping:
    """Clamps every critic parameter to [-limit, limit] after each of its updates. Arjovsky et al. 2017, algorithm 1."""

    def __init__(self, limit: float) -> None:
        if not limit > 0:
            raise ValueError(f"limit must be positive, got {limit}")
        self.limit = limit

    @torch.no_grad()
    def __call__(self, discriminator: nn.Module) -> None:
        torch._foreach_clamp_min_(list(discriminator.parameters()), -self.limit)
        torch._foreach_clamp_max_(list(discriminator.parameters()), self.limit)
