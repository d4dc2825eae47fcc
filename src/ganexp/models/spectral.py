"""Spectral norm: each weight divided by its largest singular value. Miyato et al. 2018."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrizations, parametrize

KINDS = ("none", "persistent", "fixed_u")


def spectral_norm(layer: nn.Module, kind: str) -> nn.Module:
    """`layer` with its weight normalised: `persistent` is torch's, whose power iteration goes on from update to update.

    `fixed_u` starts every iteration from the same random vector, a published slip: its estimate stays below the largest
    singular value, so that the layer is not bounded.
    """
    if kind not in KINDS:
        raise ValueError(f"spectral_norm={kind}: use one of {', '.join(KINDS)}")
    if kind == "persistent":
        parametrize.register_parametrization(layer, "weight", _Persistent(layer.weight))
    if kind == "fixed_u":
        parametrize.register_parametrization(layer, "weight", _FixedU(layer.weight))
    return layer


class _Persistent(parametrizations._SpectralNorm):
    """torch's, in fp32 under autocast too: half precision is too coarse for the bound."""

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            return super().forward(weight)


class _FixedU(nn.Module):
    """One power iteration from a constant u; the gradient flows through the iteration, as in the article's code."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("u", normalize(torch.randn(weight.shape[0]), dim=0))

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            matrix = weight.flatten(1)  # (out, in, …) -> (out, rest)
            v = normalize(matrix.T @ self.u, dim=0)
            u = normalize(matrix @ v, dim=0)
            return weight / (u @ matrix @ v)
