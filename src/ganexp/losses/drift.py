"""The drift term, which keeps the outputs of a critic near 0."""

from torch import Tensor

from ganexp.losses.penalties import Discriminator
from ganexp.types import NonNegativeFloat


class Drift:
    """weight · E[D(x)²] at real images (Karras et al. 2018, appendix A.1).

    A Wasserstein loss depends only on differences of outputs. Without this term, the mean output may drift away.

    Use it with a Wasserstein loss, in long runs or in half precision.

    Args:
        weight: Factor of the penalty.

    Example:
        >>> import torch
        >>> def discriminator(images, labels):
        ...     return images.sum((1, 2, 3))
        >>> real = torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)
        >>> Drift(weight=0.5)(discriminator, real, None, real, None).item()  # 0.5·(1 + 9)/2
        2.5
    """

    needs_gradient = False

    def __init__(self, weight: NonNegativeFloat) -> None:
        self.weight = weight

    def __call__(
        self,
        discriminator: Discriminator,
        real: Tensor,
        real_labels: Tensor | None,
        fake: Tensor,
        fake_labels: Tensor | None,
    ) -> Tensor:
        """Return the penalty, a scalar; generated images are not used."""
        return self.weight * discriminator(real, real_labels).square().mean()
