"""Convolutional generator and discriminator. Source: Radford et al. 2016; the layers are those of chainer-gan-lib.

The resolution is base·2^k with a base from 3 to 7. In conditional forms the generator's input is the latent with a code
of the label, and `head` states what the discriminator does with the label.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from ganexp.models.heads import HeadKind, make_head
from ganexp.models.layers import LabelCode, append_label_code, init_normal
from ganexp.models.resolution import split_resolution
from ganexp.types import NonNegativeFloat, NonNegativeInt, PositiveInt

Norm = Literal["none", "batch", "layer", "instance"]
NORMS: dict[Norm, Callable[[int], nn.Module]] = {  # each takes the channels of a map
    "none": lambda channels: nn.Identity(),
    "batch": lambda channels: nn.BatchNorm2d(channels),
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
}


class Generator(nn.Module):
    """Map latents (N, latent_dim) and labels to images (N, channels, resolution, resolution) in [-1, 1].

    Layers: linear, to a map of side base; k times transposed convolution 4x4 of stride 2, norm, ReLU; convolution 3x3,
    tanh.

    Args:
        latent_dim: components of a latent.
        resolution: side of the images, base·2^k with a base from 3 to 7.
        channels: of the images.
        width: channels of the map at full resolution; each map of half the side has twice as many.
        max_width: the most channels that a map has.
        num_classes: of the labels; 0 for an unconditional generator.
        norm: after each layer but the last.
        norm_after_linear: whether a norm follows the linear layer too.
        slope: of LeakyReLU for negative inputs; 0 is ReLU.
        label_code: 1 for the label's class and, for all others, 0 (`one_hot`) or -1 (`plus_minus`).

    Raises:
        ValueError: the resolution has no such base.
    """

    def __init__(
        self,
        latent_dim: PositiveInt,
        resolution: PositiveInt,
        channels: PositiveInt,
        width: PositiveInt = 64,
        max_width: PositiveInt = 512,
        num_classes: NonNegativeInt = 0,
        norm: Norm = "batch",
        norm_after_linear: bool = True,
        slope: NonNegativeFloat = 0.0,
        label_code: LabelCode = "one_hot",
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.label_code = label_code
        self.base, doublings = split_resolution(resolution)
        widths = [min(width * 2**i, max_width) for i in range(doublings, -1, -1)]  # from the base to full resolution
        self.project = nn.Linear(latent_dim + num_classes, widths[0] * self.base**2)
        layers = [NORMS[norm if norm_after_linear else "none"](widths[0]), _make_relu(slope)]
        for inputs, outputs in pairwise(widths):
            layers += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), NORMS[norm](outputs), _make_relu(slope)]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], channels, 3, 1, 1), nn.Tanh())
        init_normal(self, 0.02)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images for latents z and labels (N,), which are None for an unconditional generator."""
        x = self.project(append_label_code(z, labels, self.num_classes, self.label_code))
        x = x.unflatten(1, (-1, self.base, self.base))  # (N, W·b·b) -> (N, W, b, b)
        return self.body(x)  # (N, W, b, b) -> (N, C, H, W)


class Discriminator(nn.Module):
    """Map images (N, channels, resolution, resolution) and labels to logits (N,), or (N, logits) for several.

    With `head=classes` it returns a pair: the logits, and class logits (N, num_classes).
    Layers: convolution 3x3; k times convolution 4x4 of stride 2 and convolution 3x3; each followed by a norm (except
    the first) and LeakyReLU(0.2); the head.

    Args:
        resolution: side of the images, base·2^k with a base from 3 to 7.
        channels: of the images.
        width: channels of the map at full resolution; each map of half the side has twice as many.
        max_width: the most channels that a map has.
        num_classes: of the labels; 0 for an unconditional discriminator.
        logits: outputs per image.
        norm: after each convolution but the first.
        head: what labels are used for: `projection` adds a projection of the label to the logit, `classes` returns
            class logits too, `none` ignores labels.

    Raises:
        ValueError: the resolution has no such base, or the head does not suit `num_classes` and `logits`.
    """

    def __init__(
        self,
        resolution: PositiveInt,
        channels: PositiveInt,
        width: PositiveInt = 64,
        max_width: PositiveInt = 512,
        num_classes: NonNegativeInt = 0,
        logits: PositiveInt = 1,
        norm: Norm = "batch",
        head: HeadKind = "projection",
    ) -> None:
        super().__init__()
        base, doublings = split_resolution(resolution)
        widths = [min(width * 2**i, max_width) for i in range(doublings + 1)]  # from full resolution to the base
        layers = [nn.Conv2d(channels, widths[0], 3, 1, 1), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), NORMS[norm](outputs), nn.LeakyReLU(0.2)]
            layers += [nn.Conv2d(outputs, outputs, 3, 1, 1), NORMS[norm](outputs), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.head = make_head(head, widths[-1] * base**2, num_classes, logits)
        init_normal(self, 0.02)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Return logits, or a pair of logits and class logits, for images and labels (N,) or None."""
        features = self.body(images)  # (N, C, H, W) -> (N, W·b·b)
        return self.head(features, labels)


def _make_relu(slope: float) -> nn.Module:
    return nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)
