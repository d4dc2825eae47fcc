"""Layers that double the height and width of a feature map in convolutional generators."""

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv_transpose2d

Upsample = Literal["transposed", "nearest"]


class NearestConv2d(nn.Conv2d):
    """Replace each pixel by 2x2 copies, then apply a convolution with an odd kernel k x k.

    This layer causes no checkerboard patterns. A transposed convolution with free weights may cause such patterns,
    because its kernels overlap unevenly if their size is not a multiple of the stride. Even if the kernels overlap
    evenly, the layer may learn weights that cause such patterns. Source: Odena et al. 2016.

    Use it when samples show a regular pattern of squares.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return a feature map (N, outputs, 2s, 2s) for x (N, inputs, s, s)."""
        return nearest_conv2d(x, self.weight, self.bias)


def nearest_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Replace each pixel by 2x2 copies, then apply a convolution: (N, C, s, s) -> (N, outputs, 2s, 2s).

    The copies of a pixel are equal, so the elements of the kernel that they meet can be added beforehand. Both
    operations together are therefore computed as a transposed convolution of stride 2, whose kernel is the sum of four
    shifted copies of the mirrored weight. For k = 3, this takes 4/9 of the multiplications, and no enlarged feature map
    is stored.

    Args:
        x: feature maps (N, C, s, s).
        weight: weight (outputs, C, k, k) with an odd k.
        bias: bias (outputs,), or None.
    """
    kernel = avg_pool2d(weight.flip(2, 3), 2, stride=1, padding=1, divisor_override=1)  # (…, k, k) -> (…, k+1, k+1)
    return conv_transpose2d(x, kernel.transpose(0, 1), bias, stride=2, padding=weight.shape[-1] // 2)


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
