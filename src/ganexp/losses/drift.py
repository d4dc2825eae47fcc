"""The drift term, which keeps the outputs of a critic near 0."""

from torch import Tensor

from ganexp.types import NonNegativeFloat


class Drift:
    """weight · E[D(x)²] at real images (Karras et al. 2018, appendix A.1).

    A Wasserstein loss depends only on differences of outputs. Without this term, the mean output may drift away.

    Use it with a Wasserstein loss, in long runs or in half precision.

    Args:
        weight: Factor of the penalty.

    Example:
        >>> import torch
        >>> Drift(weight=0.5).of_outputs(torch.tensor([1.0, 3.0]), torch.tensor([7.0, 7.0])).item()  # 0.5·(1 + 9)/2
        2.5
    """

    needs_gradient = False

    def __init__(self, weight: NonNegativeFloat) -> None:
        self.weight = weight

    def of_outputs(self, d_real: Tensor, d_fake: Tensor) -> Tensor:
        """Return the penalty, a scalar, given D's outputs (N,); those on generated images are not used."""
        return self.weight * d_real.square().mean()
