"""Divide weights by an estimate of their largest singular value. Source: Miyato et al. 2018, section 2.1."""

from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrizations, parametrize

from ganexp.autocast import without_autocast

SpectralNorm = Literal["none", "persistent", "fixed_u"]
Layer = TypeVar("Layer", bound=nn.Module)


def apply_spectral_norm(layer: Layer, kind: SpectralNorm) -> Layer:
    """Apply spectral norm to the weight of `layer` in place, and return the layer.

    Args:
        layer: convolution or linear layer. Its weight is treated as a matrix (outputs, all other dimensions).
        kind: `persistent` continues the power iteration from one forward pass to the next, as the paper and torch do.
            `fixed_u` restarts the power iteration from the same random vector every time. This is an error in
            published code: the estimate stays below the largest singular value, so the norm of the weight is not
            bounded.
            `none` changes nothing.
    """
    if kind == "persistent":
        parametrize.register_parametrization(layer, "weight", PersistentSpectralNorm(layer.get_parameter("weight")))
    if kind == "fixed_u":
        parametrize.register_parametrization(layer, "weight", FixedUSpectralNorm(layer.get_parameter("weight")))
    return layer


# This class extends a private class of torch, because torch's public function does not allow switching off autocast.
# test_torch_spectral_norm_has_private_class fails if torch renames the private class.
class PersistentSpectralNorm(parametrizations._SpectralNorm):
    """Normalise a weight as torch does, but in float32 under autocast, because half precision is too inaccurate.

    The weight is divided by an estimate of its largest singular value. In training, one power iteration in each forward
    pass improves the estimate (Miyato et al. 2018, section 2.1). Use it with any loss when the discriminator becomes
    too steep: this normalisation costs little.

    Attributes:
        group: the `SpectralNormGroup` that normalises all weights together; None outside of `normalise_once`.
    """

    group: Any = None

    def forward(self, weight: Tensor) -> Tensor:
        """Return `weight` divided by its estimated largest singular value, in the same shape."""
        if self.group is not None and self.training:
            return self.group.normalised(self)
        with without_autocast(weight.device):
            return super().forward(weight)

    def _power_method(self, weight: Tensor, iterations: int) -> None:
        if not weight.is_meta:  # a meta tensor has no values, and torch's operations on it are slow
            super()._power_method(weight, iterations)


class FixedUSpectralNorm(nn.Module):
    """Normalise a weight with one power iteration from a constant vector u; gradients flow through this iteration.

    The estimate of the largest singular value is too small, so the norm of the weight is not bounded. Use it only
    to reproduce published code that has this error.

    Args:
        weight: weight (outputs, inputs, …); u has one number for each output.
    """

    u: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("u", normalize(torch.randn(weight.shape[0]), dim=0))

    def forward(self, weight: Tensor) -> Tensor:
        """Return `weight` divided by its estimated largest singular value, in the same shape."""
        with without_autocast(weight.device):
            matrix = weight.flatten(1)  # (outputs, inputs, …) -> (outputs, rest)
            v = normalize(matrix.T @ self.u, dim=0)
            u = normalize(matrix @ v, dim=0)
            return weight / (u @ matrix @ v)
