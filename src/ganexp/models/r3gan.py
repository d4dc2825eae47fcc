"""The residual networks of R3GAN, without normalisation (Huang et al. 2024, config E).

Both networks use grouped convolutions, and resample feature maps with a fixed filter. The weights of a block's last
convolution start at 0, so that every block starts as the identity.
"""

import math
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu

from ganexp.models.heads import OneHotLinear, squeeze_logit
from ganexp.models.resnet import first_side
from ganexp.types import NonNegativeInt, PositiveInt, Resolution, Widths

SLOPE = 0.2
GAIN = math.sqrt(2 / 1.04)  # the gain of LeakyReLU(0.2): √(2 / (1 + 0.2²))
FILTER = (1.0, 3.0, 3.0, 1.0)
Layer = TypeVar("Layer", nn.Conv2d, nn.Linear, OneHotLinear)


class Block(nn.Module):
    """Add the output of three convolutions to the input: 1x1 to twice the width, 3x3 in groups, 1x1 back to the width.

    Source: Huang et al. 2024, section 3.3. Use it in deep networks without normalisation.

    Args:
        width: number of channels.
        group_size: number of channels in each group of the 3x3 convolution.
        blocks: number of blocks of the network, which determines the scale of the initial weights.

    Raises:
        ValueError: 2·width is not a multiple of the group size.
    """

    def __init__(self, width: int, group_size: int, blocks: int) -> None:
        super().__init__()
        inner, gain = 2 * width, GAIN * blocks**-0.25
        if inner % group_size:
            raise ValueError(
                f"group_size={group_size}: 2·{width} channels are not a multiple of {group_size}; use another size"
            )
        self.expand = scaled(nn.Conv2d(width, inner, 1), gain)
        self.grouped = scaled(nn.Conv2d(inner, inner, 3, 1, 1, groups=inner // group_size), gain)
        self.reduce = scaled(nn.Conv2d(inner, width, 1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return a feature map of the same shape as x, (N, width, s, s)."""
        y = leaky_relu(self.expand(x), SLOPE)  # (N, W, s, s) -> (N, 2W, s, s)
        y = leaky_relu(self.grouped(y), SLOPE)
        return x + self.reduce(y)  # (N, 2W, s, s) -> (N, W, s, s)


class Resample(nn.Module):
    """Double or halve height and width with the filter [1, 3, 3, 1] in both directions.

    If the number of channels changes, a convolution 1x1 changes it at the smaller size. Use it where a transposed or
    strided convolution leaves regular patterns.

    Args:
        inputs: number of channels before the layer.
        outputs: number of channels after the layer.
        doubles: whether height and width are doubled; otherwise they are halved.
    """

    filter: Tensor

    def __init__(self, inputs: int, outputs: int, doubles: bool) -> None:
        super().__init__()
        weights = torch.tensor(FILTER) / 8
        self.doubles = doubles
        self.register_buffer("filter", torch.outer(weights, weights)[None, None], persistent=False)  # (1, 1, 4, 4)
        convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.change_width = nn.Identity() if inputs == outputs else scaled(convolution, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return x (N, inputs, s, s) as (N, outputs, 2s, 2s), or as (N, outputs, s/2, s/2)."""
        if self.doubles:
            x = self.change_width(x)
        channels = x.shape[1]
        kernel = self.filter.to(x.dtype).expand(channels, 1, -1, -1)
        if self.doubles:
            return conv_transpose2d(x, 4 * kernel, stride=2, padding=1, groups=channels)
        return self.change_width(conv2d(x, kernel, stride=2, padding=1, groups=channels))


class Generator(nn.Module):
    """Map latents (N, latent_dim) and labels to images (N, channels, resolution, resolution).

    The first feature map is a learned feature map that is multiplied by a linear function of the latent. If there are
    classes, the input of this function is the latent followed by the label's embedding. There is no tanh, so pixel
    values may be outside of [-1, 1]; they are clamped when images are shown or scored.

    Args:
        latent_dim: number of components of a latent.
        resolution: height and width of the images, a multiple of 2^(len(widths) - 1).
        channels: number of channels of the images.
        widths: number of channels at each resolution, from the smallest feature map to full resolution.
        num_classes: number of classes; 0 for an unconditional generator.
        blocks: number of blocks at each resolution.
        group_size: number of channels in each group of a 3x3 convolution.
        embedding_dim: number of components of a label's embedding.

    Raises:
        ValueError: the resolution, or the group size, does not fit the widths.
    """

    def __init__(
        self,
        latent_dim: PositiveInt,
        resolution: Resolution,
        channels: PositiveInt,
        widths: Widths,
        num_classes: NonNegativeInt = 0,
        blocks: PositiveInt = 2,
        group_size: PositiveInt = 16,
        embedding_dim: PositiveInt = 64,
    ) -> None:
        super().__init__()
        base = first_side(resolution, widths)
        self.embedding = scaled(OneHotLinear(num_classes, embedding_dim), 1.0) if num_classes else None
        inputs = latent_dim + (embedding_dim if num_classes else 0)
        self.basis = nn.Parameter(torch.randn(widths[0], base, base))
        self.project = scaled(nn.Linear(inputs, widths[0], bias=False), 1.0)
        self.body = nn.Sequential(*_blocks(widths[0], blocks, group_size, len(widths)))
        for width, next_width in pairwise(widths):
            self.body.append(Resample(width, next_width, doubles=True))
            self.body.extend(_blocks(next_width, blocks, group_size, len(widths)))
        self.out = scaled(nn.Conv2d(widths[-1], channels, 1, bias=False), 1.0)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images for latents z and labels (N,); the labels are None for an unconditional generator."""
        if self.embedding is not None:
            z = torch.cat([z, self.embedding(labels)], 1)
        x = self.basis * self.project(z)[:, :, None, None]  # (W, b, b), (N, W, 1, 1) -> (N, W, b, b)
        return self.out(self.body(x))


class Discriminator(nn.Module):
    """Map images (N, channels, resolution, resolution) and labels to logits (N,), or (N, logits) if `logits` > 1.

    With classes, the logit is the inner product of the label's embedding with a linear function of the features.

    Args:
        resolution: height and width of the images, a multiple of 2^(len(widths) - 1).
        channels: number of channels of the images.
        widths: number of channels at each resolution, from the smallest feature map to full resolution.
        num_classes: number of classes; 0 for an unconditional discriminator.
        logits: number of outputs per image.
        blocks: number of blocks at each resolution.
        group_size: number of channels in each group of a 3x3 convolution.

    Raises:
        ValueError: the resolution, or the group size, does not fit the widths; or there are labels and several logits.
    """

    def __init__(
        self,
        resolution: Resolution,
        channels: PositiveInt,
        widths: Widths,
        num_classes: NonNegativeInt = 0,
        logits: PositiveInt = 1,
        blocks: PositiveInt = 2,
        group_size: PositiveInt = 16,
    ) -> None:
        super().__init__()
        if num_classes and logits != 1:
            raise ValueError(
                f"logits={logits}: with labels, this discriminator has one logit; use model.conditional=false, or a "
                "loss that needs one logit"
            )
        base, features = first_side(resolution, widths), widths[0]
        self.body = nn.Sequential(scaled(nn.Conv2d(channels, widths[-1], 1, bias=False), 1.0))
        for width, next_width in pairwise(reversed(widths)):
            self.body.extend(_blocks(width, blocks, group_size, len(widths)))
            self.body.append(Resample(width, next_width, doubles=False))
        self.body.extend(_blocks(features, blocks, group_size, len(widths)))
        self.body.append(scaled(nn.Conv2d(features, features, base, groups=features, bias=False), 1.0))
        self.linear = scaled(nn.Linear(features, features if num_classes else logits, bias=False), 1.0)
        gain = 1 / math.sqrt(features)
        self.embedding = scaled(OneHotLinear(num_classes, features), gain) if num_classes else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits for images and labels (N,); the labels are None for an unconditional discriminator."""
        outputs = self.linear(self.body(images).flatten(1))  # (N, C, s, s) -> (N, W, 1, 1) -> (N, W) or (N, logits)
        return squeeze_logit(outputs) if self.embedding is None else (outputs * self.embedding(labels)).sum(1)


def _blocks(width: int, count: int, group_size: int, heights: int) -> list[Block]:
    """Return `count` blocks, for a network that has `count` blocks at each of `heights` resolutions."""
    return [Block(width, group_size, count * heights) for _ in range(count)]


def scaled(layer: Layer, gain: float) -> Layer:
    """Draw the weights from N(0, gain²/n), where each output has n inputs; set the biases to 0; return the layer."""
    nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
