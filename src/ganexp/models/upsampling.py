"""Layers that double the height and width of a feature map in convolutional generators."""

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import interpolate

Upsample = Literal["transposed", "nearest"]


class NearestConv2d(nn.Conv2d):
    """Replace each pixel by 2x2 copies, then apply a convolution.

    This layer causes no checkerboard patterns. A transposed convolution may cause such patterns, because its kernels
    overlap unevenly if their size is not a multiple of the stride. Even if the kernels overlap evenly, the layer may
    learn weights that cause such patterns. Source: Odena et al. 2016.

    Use it when samples show a regular pattern of squares.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return a feature map (N, outputs, 2s, 2s) for x (N, inputs, s, s)."""
        return super().forward(interpolate(x, scale_factor=2))


def make_upsampling(kind: Upsample, inputs: int, outputs: int, bias: bool = True) -> nn.Module:
    """Return a layer that doubles height and width.

    Args:
        kind: `transposed` is a transposed convolution 4x4 of stride 2, `nearest` is `NearestConv2d` with a kernel 3x3.
        inputs: number of channels before the layer.
        outputs: number of channels after the layer.
        bias: whether the layer has a bias.
    """
    if kind == "nearest":
        return NearestConv2d(inputs, outputs, bias=bias)
    return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias)
