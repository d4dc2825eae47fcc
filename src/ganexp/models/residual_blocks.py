"""Residual blocks of SNGAN's generator and discriminator. Source: Miyato et al. 2018, appendix B."""

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from ganexp.models.layer_factory import LayerFactory
from ganexp.models.layers import ConditionalNorm
from ganexp.models.pooling import PooledConv2d
from ganexp.models.squeeze import make_squeeze
from ganexp.models.upsampling import NearestConv2d

FirstBlock = Literal["residual", "relu", "convolution"]  # a discriminator's first block; see `make_first_block`
HiddenWidth = Literal["in", "out"]  # width between the convolutions: as in the block's input or output
RELU_GAIN = 2**0.5  # gain of the initial weights in residual branches, where every convolution is next to a ReLU


class UpBlock(nn.Module):
    """Double height and width: norm, ReLU, upsampling, convolution, norm, ReLU, convolution, plus a 1x1 shortcut.

    With `squeeze`, squeeze-and-excitation follows the second convolution (Hu et al. 2018, figure 3).

    Source: Miyato et al. 2018, figure 5. Use it in generators of images with 32x32 pixels or more.
    """

    def __init__(
        self, inputs: int, outputs: int, num_classes: int, layers: LayerFactory, squeeze: bool = False
    ) -> None:
        super().__init__()
        self.norm1 = ConditionalNorm(inputs, num_classes)
        self.norm2 = ConditionalNorm(outputs, num_classes)
        self.conv1 = layers.prepare(NearestConv2d(inputs, outputs), RELU_GAIN)  # upsampling and convolution
        self.conv2 = layers.conv(outputs, outputs, 3, RELU_GAIN)
        self.shortcut = layers.conv(inputs, outputs, 1)
        self.squeeze = make_squeeze(outputs, layers, squeeze)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return a feature map (N, outputs, 2s, 2s) for x (N, inputs, s, s) and labels (N,) or None."""
        h = self.conv1(relu(self.norm1(x, labels), inplace=True))  # (N, inputs, s, s) -> (N, outputs, 2s, 2s)
        h = self.squeeze(self.conv2(relu(self.norm2(h, labels), inplace=True)))
        return h + interpolate(self.shortcut(x), scale_factor=2)  # convolution first: the same result, but cheaper


class DownBlock(nn.Module):
    """Apply ReLU, convolution, ReLU, convolution, plus a shortcut; halve height and width if `down` is true.

    The shortcut is a 1x1 convolution if the block changes the shape, and the identity otherwise. With `squeeze`,
    squeeze-and-excitation follows the second convolution (Hu et al. 2018, figure 3).

    Source: Miyato et al. 2018, figure 5. Use it in discriminators of images with 32x32 pixels or more.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        down: bool,
        layers: LayerFactory,
        hidden: HiddenWidth = "out",
        squeeze: bool = False,
    ) -> None:
        super().__init__()
        self.down = down
        between = inputs if hidden == "in" else outputs
        self.conv1 = layers.conv(inputs, between, 3, RELU_GAIN)
        conv2 = PooledConv2d(between, outputs) if down else nn.Conv2d(between, outputs, 3, padding=1)
        self.conv2 = layers.prepare(conv2, RELU_GAIN)
        self.shortcut = layers.conv(inputs, outputs, 1) if down or inputs != outputs else nn.Identity()
        self.squeeze = make_squeeze(outputs, layers, squeeze)

    def forward(self, x: Tensor) -> Tensor:
        """Return a feature map (N, outputs, s, s), or (N, outputs, s/2, s/2) if `down`, for x (N, inputs, s, s)."""
        h = self.squeeze(self.conv2(relu(self.conv1(relu(x)), inplace=True)))
        return h + self.shortcut(avg_pool2d(x, 2) if self.down else x)  # pooling first: the same result, but cheaper


class FirstDownBlock(nn.Module):
    """Apply convolution, ReLU, convolution and pooling to an image, plus a shortcut of pooling and a 1x1 convolution.

    Unlike `DownBlock`, this block applies no ReLU to its input, because ReLU would remove all negative pixels.

    Source: the code of Miyato et al. 2018. Use it as the first block of a discriminator.
    """

    def __init__(self, inputs: int, outputs: int, layers: LayerFactory) -> None:
        super().__init__()
        self.conv1 = layers.conv(inputs, outputs, 3, RELU_GAIN)
        self.conv2 = layers.prepare(PooledConv2d(outputs, outputs), RELU_GAIN)  # convolution and pooling
        self.shortcut = layers.conv(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return a feature map (N, outputs, s/2, s/2) for images x (N, inputs, s, s)."""
        return self.conv2(relu(self.conv1(x), inplace=True)) + self.shortcut(avg_pool2d(x, 2))


def make_first_block(kind: FirstBlock, channels: int, outputs: int, layers: LayerFactory) -> nn.Module:
    """Return the first block of a discriminator, which halves the height and width of the image.

    Args:
        kind: `residual` is `FirstDownBlock` (Miyato et al. 2018). `relu` is `DownBlock`, whose first ReLU
            removes all negative pixels; this is an error in published code. `convolution` is one convolution 4x4 of
            stride 2, which is cheaper.
        channels: number of channels of the images.
        outputs: number of channels of the feature map.
        layers: factory for the layers of the block.
    """
    if kind == "residual":
        return FirstDownBlock(channels, outputs, layers)
    if kind == "relu":
        return DownBlock(channels, outputs, True, layers)
    return layers.prepare(nn.Conv2d(channels, outputs, 4, stride=2, padding=1))
