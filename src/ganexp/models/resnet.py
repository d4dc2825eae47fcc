"""Residual generator and discriminator of SNGAN (Miyato et al. 2018) and SAGAN (Zhang et al. 2019).

The lists of widths in conf/model determine the number of blocks and the possible resolutions. Conditional networks use
conditional batch norm in the generator and a projection head in the discriminator.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import relu

from ganexp.models.attention import insert_attention
from ganexp.models.heads import OneHotLinear, ProjectionHead
from ganexp.models.layer_factory import LayerFactory, WeightInit
from ganexp.models.layers import ConditionalNorm
from ganexp.models.residual_blocks import DownBlock, FirstBlock, HiddenWidth, UpBlock, make_first_block
from ganexp.models.spectral import SpectralNorm
from ganexp.types import NonNegativeInt, PositiveInt, Resolution, Widths


class Generator(nn.Module):
    """Map latents (N, latent_dim) and labels to images (N, channels, resolution, resolution) in [-1, 1].

    Args:
        latent_dim: number of components of a latent.
        resolution: height and width of the images, a multiple of 2^(len(widths) - 1).
        channels: number of channels of the images.
        widths: number of channels of the first feature map, and then of the feature map after each block. Every block
            doubles height and width.
        num_classes: number of classes; 0 for an unconditional generator.
        attention: self-attention follows the feature map of this height and width; None means no self-attention.
        spectral_norm: kind of spectral norm of every convolution and linear layer.
        spectral_norm_output: whether `spectral_norm` also applies to the last layer.
        init: initialisation of the weights; see `LayerFactory`.
        squeeze: whether every block has squeeze-and-excitation.

    Raises:
        ValueError: the resolution does not fit the widths, or self-attention cannot follow a feature map of the height
            `attention`.
    """

    def __init__(
        self,
        latent_dim: PositiveInt,
        resolution: Resolution,
        channels: PositiveInt,
        widths: Widths,
        num_classes: NonNegativeInt = 0,
        attention: PositiveInt | None = None,
        spectral_norm: SpectralNorm = "none",
        spectral_norm_output: bool = True,
        init: WeightInit = "xavier",
        squeeze: bool = False,
    ) -> None:
        super().__init__()
        self.base = first_side(resolution, widths)
        layers = LayerFactory(spectral_norm, init)
        output_layers = layers if spectral_norm_output else LayerFactory("none", init)
        self.project = layers.linear(latent_dim, widths[0] * self.base**2)
        sides = [self.base * 2**i for i in range(1, len(widths))]
        blocks = [UpBlock(inputs, outputs, num_classes, layers, squeeze) for inputs, outputs in pairwise(widths)]
        self.blocks = insert_attention(blocks, sides, widths[1:], attention, layers)
        self.norm = ConditionalNorm(widths[-1], num_classes)
        self.out = output_layers.conv(widths[-1], channels, 3)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images for latents z and labels (N,); the labels are None for an unconditional generator."""
        x = self.project(z).unflatten(1, (-1, self.base, self.base))  # (N, W·b·b) -> (N, W, b, b)
        for block in self.blocks:
            x = block(x, labels)  # (N, W, s, s) -> (N, W', 2s, 2s), or the same shape for self-attention
        return self.out(relu(self.norm(x, labels))).tanh()


class Discriminator(nn.Module):
    """Map images (N, channels, resolution, resolution) and labels to logits (N,), or (N, logits) if `logits` > 1.

    Args:
        resolution: height and width of the images, a multiple of 2^halvings.
        channels: number of channels of the images.
        widths: number of channels of the feature map after each block.
        halvings: number of blocks that halve height and width; these are the first blocks.
        num_classes: number of classes; 0 for an unconditional discriminator.
        logits: number of outputs per image.
        attention: self-attention follows the feature map of this height and width; None means no self-attention.
        spectral_norm: kind of spectral norm of every convolution and linear layer.
        spectral_norm_output: whether `spectral_norm` also applies to the last linear layer; `spectral_norm` always
            applies to the label embedding.
        init: initialisation of the weights; see `LayerFactory`.
        hidden: number of channels between the two convolutions of each block except the first: as many as in the
            block's input (`in`, Miyato et al. 2018) or in its output (`out`, koshian2's SAGAN).
        first_block: the first block, which receives the image; see `make_first_block`.
        squeeze: whether every block except the first has squeeze-and-excitation.

    Raises:
        ValueError: `halvings` does not fit the resolution and the widths, self-attention cannot follow a feature map of
            the height `attention`, or there are labels and several logits.
    """

    def __init__(
        self,
        resolution: Resolution,
        channels: PositiveInt,
        widths: Widths,
        halvings: PositiveInt,
        num_classes: NonNegativeInt = 0,
        logits: PositiveInt = 1,
        attention: PositiveInt | None = None,
        spectral_norm: SpectralNorm = "persistent",
        spectral_norm_output: bool = True,
        init: WeightInit = "xavier",
        hidden: HiddenWidth = "out",
        first_block: FirstBlock = "residual",
        squeeze: bool = False,
    ) -> None:
        super().__init__()
        check_halvings(halvings, resolution, widths)
        layers = LayerFactory(spectral_norm, init)
        output_layers = layers if spectral_norm_output else LayerFactory("none", init)
        blocks: list[nn.Module] = [make_first_block(first_block, channels, widths[0], layers)]
        for index, (inputs, outputs) in enumerate(pairwise(widths), start=1):
            blocks.append(DownBlock(inputs, outputs, index < halvings, layers, hidden, squeeze))
        sides = [resolution // 2 ** min(i, halvings) for i in range(1, len(widths) + 1)]
        self.blocks = insert_attention(blocks, sides, widths, attention, layers)
        linear = output_layers.linear(widths[-1], logits)
        embedding = layers.prepare(OneHotLinear(num_classes, widths[-1])) if num_classes else None
        self.head = ProjectionHead(linear, embedding)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits for images and labels (N,); the labels are None for an unconditional discriminator."""
        x = images
        for block in self.blocks:
            x = block(x)  # (N, W, s, s) -> (N, W', s/2, s/2), or (N, W', s, s) after the last halving
        features = relu(x).sum((2, 3))  # (N, W, s, s) -> (N, W)
        return self.head(features, labels)


def first_side(resolution: int, widths: list[int]) -> int:
    """Return the height and width of the generator's first feature map, resolution / 2^(len(widths) - 1).

    Raises:
        ValueError: the resolution is not a multiple of 2^(len(widths) - 1).
    """
    doublings = len(widths) - 1
    if resolution % 2**doublings:
        raise ValueError(
            f"widths={list(widths)}: {doublings} blocks multiply height and width by {2**doublings}, but "
            f"resolution={resolution} is not a multiple of {2**doublings}: use fewer widths, or another data.resolution"
        )
    return resolution // 2**doublings


def check_halvings(halvings: int, resolution: int, widths: list[int]) -> None:
    """Check that there are at least `halvings` blocks, and that the resolution is a multiple of 2^halvings.

    Raises:
        ValueError: `halvings` is too large; the message lists the allowed values.
    """
    allowed = [count for count in range(1, len(widths) + 1) if resolution % 2**count == 0]
    if halvings not in allowed:
        fix = f"use one of {', '.join(map(str, allowed))}" if allowed else "use an even data.resolution"
        raise ValueError(f"halvings={halvings} does not fit resolution={resolution} and {len(widths)} widths: {fix}")
