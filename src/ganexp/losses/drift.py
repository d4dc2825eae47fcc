"""The drift term, which keeps the outputs of a critic near 0."""

from torch import Tensor

from ganexp.losses.penalties import Discriminator, Seen
from ganexp.types import NonNegativeFloat


class Drift:
    """weight · E[D(x)²] at real images (Karras et al. 2018, appendix A.1).

    A Wasserstein loss depends only on differences of outputs. Without this term, the mean output may drift away.

    Use it with a Wasserstein loss, in long runs or in half precision.

    Args:
        weight: Factor of the penalty.

    Example:
        >>> import torch
        >>> images = torch.zeros(2, 1, 1, 1)
        >>> real, fake = (Seen(images, None, torch.tensor(output)) for output in ([1.0, 3.0], [7.0, 7.0]))
        >>> Drift(weight=0.5).of_outputs(lambda images, labels: images.sum(), real, fake).item()  # 0.5·(1 + 9)/2
        2.5
    """

    needs_gradient = False

    def __init__(self, weight: NonNegativeFloat) -> None:
        self.weight = weight

    def of_outputs(self, discriminator: Discriminator, real: Seen, fake: Seen) -> Tensor:
        """Return the penalty, a scalar. Only the outputs on real images are used."""
        return self.weight * real.output.square().mean()
