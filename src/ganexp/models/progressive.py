"""Networks of progressive GAN, which grow during training. Source: Karras et al. 2018; layers as in chainer-gan-lib.

Images always have full size: the generator enlarges its images from the size of the current stage, and the
discriminator shrinks its inputs to this size. The resolution is base·2^k with a base from 3 to 7. All layers have an
equalised learning rate.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganexp.models.equalised import EqualisedConv2d, EqualisedLinear, EqualisedNearestConv2d
from ganexp.models.growing import Growing, blend, enlarge, shrink
from ganexp.models.heads import ProjectionHead
from ganexp.models.layers import append_label_code
from ganexp.models.minibatch_std import MinibatchStd
from ganexp.models.pixel_norm import PixelNorm
from ganexp.models.resolution import split_resolution
from ganexp.types import NonNegativeInt, PositiveInt, Resolution


class Generator(Growing):
    """Map latents (N, latent_dim) and labels to images (N, channels, resolution, resolution) without a final tanh.

    Layers: pixel norm of the latent; a convolution from 1x1 to base x base; a convolution 3x3; for each further level,
    nearest-neighbour upsampling and two convolutions 3x3. Each of these convolutions is followed by pixel norm and
    LeakyReLU(0.2). At each level, a further convolution 1x1 turns the feature map into images.

    Args:
        latent_dim: number of components of a latent.
        resolution: height and width of the images, base·2^k with a base from 3 to 7.
        channels: number of channels of the images.
        width: number of channels at full resolution; the number doubles whenever height and width are halved.
        max_width: maximum number of channels of a feature map.
        num_classes: number of classes; 0 for an unconditional generator.

    Raises:
        ValueError: the resolution does not have the form base·2^k with a base from 3 to 7.
    """

    def __init__(
        self,
        latent_dim: PositiveInt,
        resolution: Resolution,
        channels: PositiveInt,
        width: PositiveInt = 256,
        max_width: PositiveInt = 512,
        num_classes: NonNegativeInt = 0,
    ) -> None:
        base, doublings = split_resolution(resolution)
        super().__init__(doublings)
        self.num_classes = num_classes
        widths = _widths(width, max_width, doublings)
        self.norm = PixelNorm()
        self.first = nn.Sequential(
            *_normed(EqualisedConv2d(latent_dim + num_classes, widths[0], base, base - 1)),  # 1x1 -> base x base
            *_normed(EqualisedConv2d(widths[0], widths[0], 3, padding=1)),
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *_normed(EqualisedNearestConv2d(low, high, 3)), *_normed(EqualisedConv2d(high, high, 3, padding=1))
            )
            for low, high in pairwise(widths)
        )
        self.to_images = nn.ModuleList(EqualisedConv2d(each, channels, 1) for each in widths)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images for latents z and labels (N,); the labels are None for an unconditional generator."""
        level, share = self.level()
        codes = append_label_code(self.norm(z), labels, self.num_classes)
        h = previous = self.first(codes[..., None, None])  # (N, d) -> (N, d, 1, 1) -> (N, W, b, b)
        for block in self.blocks[:level]:
            previous, h = h, block(h)  # (N, W, s, s) -> (N, W', 2s, 2s)
        images = self.to_images[level](h)
        if share < 1:
            faded_out = interpolate(self.to_images[level - 1](previous), scale_factor=2)
            images = torch.lerp(faded_out.to(images.dtype), images, share)  # with autocast, interpolate gives float32
        return enlarge(images, self.scale(level))


class Discriminator(Growing):
    """Map images (N, channels, resolution, resolution) and labels to logits (N,), or (N, logits) if `logits` > 1.

    Layers: for each level, a convolution 1x1 of the images; for each level above the lowest, two convolutions 3x3 and
    average pooling; minibatch standard deviation; a convolution 3x3; a convolution without padding from base x base to
    1x1; a linear layer. Each convolution is followed by LeakyReLU(0.2).

    Args:
        resolution: height and width of the images, base·2^k with a base from 3 to 7.
        channels: number of channels of the images.
        width: number of channels at full resolution; the number doubles whenever height and width are halved.
        max_width: maximum number of channels of a feature map.
        num_classes: number of classes, for a projection of the label; 0 for an unconditional discriminator.
        logits: number of outputs per image.

    Raises:
        ValueError: the resolution does not have the form base·2^k, or there are labels and several logits.
    """

    def __init__(
        self,
        resolution: Resolution,
        channels: PositiveInt,
        width: PositiveInt = 256,
        max_width: PositiveInt = 512,
        num_classes: NonNegativeInt = 0,
        logits: PositiveInt = 1,
    ) -> None:
        base, doublings = split_resolution(resolution)
        super().__init__(doublings)
        widths = _widths(width, max_width, doublings)
        self.from_images = nn.ModuleList(nn.Sequential(*_conv(channels, each, 1, 0)) for each in widths)
        self.blocks = nn.ModuleList(
            nn.Sequential(*_conv(high, high, 3, 1), *_conv(high, low, 3, 1), nn.AvgPool2d(2))
            for low, high in pairwise(widths)
        )
        self.last = nn.Sequential(
            MinibatchStd(),
            *_conv(widths[0] + 1, widths[0], 3, 1),
            *_conv(widths[0], widths[0], base, 0),  # base x base -> 1x1
            nn.Flatten(),
        )
        embedding = nn.Embedding(num_classes, widths[0]) if num_classes else None
        if embedding is not None:
            nn.init.normal_(embedding.weight, std=widths[0] ** -0.5)  # the projection has the scale of the logit
        self.head = ProjectionHead(EqualisedLinear(widths[0], logits), embedding)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits for images and labels (N,); the labels are None for an unconditional discriminator."""
        level, share = self.level()
        small = shrink(images, self.scale(level))  # (N, C, H, W) -> (N, C, s, s)
        h = self.from_images[level](small)
        for number in reversed(range(level)):
            h = self.blocks[number](h)  # (N, W, s, s) -> (N, W', s/2, s/2)
            if share < 1 and number == level - 1:
                h = torch.lerp(self.from_images[number](avg_pool2d(small, 2)).to(h.dtype), h, share)
        return self.head(self.last(h), labels)

    def prepare_real(self, images: Tensor) -> Tensor:
        """Reduce the detail of real images (N, C, H, W) to the current stage, and return them at full size.

        While a level is faded in, real images are a mixture of this level and the level below, like generated images.
        """
        level, share = self.level()
        small = shrink(images, self.scale(level))
        return enlarge(blend(small, share) if share < 1 else small, self.scale(level))


def _widths(width: int, max_width: int, doublings: int) -> list[int]:
    """Return the number of channels of the feature map at each level, from the lowest level to full resolution."""
    return [min(width * 2**i, max_width) for i in range(doublings, -1, -1)]


def _conv(inputs: int, outputs: int, kernel: int, padding: int) -> list[nn.Module]:
    return [EqualisedConv2d(inputs, outputs, kernel, padding=padding), nn.LeakyReLU(0.2)]


def _normed(convolution: nn.Module) -> list[nn.Module]:
    return [convolution, PixelNorm(), nn.LeakyReLU(0.2)]
