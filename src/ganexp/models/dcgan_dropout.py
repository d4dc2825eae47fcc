"""The generator of `dcgan` with dropout, which stays on when images are sampled."""

from typing import Literal

import torch
from torch import Tensor, nn

from ganexp.models import dcgan
from ganexp.models.dcgan import Norm
from ganexp.models.layers import LabelCode, append_label_code
from ganexp.models.upsampling import Upsample
from ganexp.types import BelowOne, NonNegativeInt, PositiveInt, Resolution, UnitInterval

MASK = 0xFFFFFFFF  # 32 bits
GOLDEN = 0x9E3779B1  # 2³² divided by the golden ratio; multiples of this number are spread evenly over 32 bits


class Generator(dcgan.Generator):
    """`dcgan.Generator` with dropout after every ReLU or LeakyReLU except the last one.

    Dropout stays on in evaluation mode (Isola et al. 2017, section 3.2.1; tip 17 of "How to train a GAN?"). A
    pseudo-random function of the latent decides which values are dropped. An image therefore depends only on its latent
    and label, and not on the batch or on the global random state. Interpolations between latents are not smooth.

    Args:
        latent_dim: number of components of a latent.
        resolution: height and width of the images, base·2^k with a base from 3 to 7.
        channels: number of channels of the images.
        width: number of channels at full resolution; the number doubles whenever height and width are halved.
        max_width: maximum number of channels of a feature map.
        num_classes: number of classes; 0 for an unconditional generator.
        norm: normalisation after each layer except the last.
        norm_after_linear: whether a norm follows the linear layer too, see `dcgan.Generator`.
        slope: slope of LeakyReLU for negative inputs; 0 is ReLU.
        label_code: code of the label, see `dcgan.Generator`.
        upsample: how height and width double, see `dcgan.Generator`.
        dropout: share of the values that are set to 0.
    """

    def __init__(
        self,
        latent_dim: PositiveInt,
        resolution: Resolution,
        channels: PositiveInt,
        width: PositiveInt = 64,
        max_width: PositiveInt = 512,
        num_classes: NonNegativeInt = 0,
        norm: Norm = "batch",
        norm_after_linear: bool | Literal["features"] = True,
        slope: UnitInterval = 0.0,
        label_code: LabelCode = "one_hot",
        upsample: Upsample = "transposed",
        dropout: BelowOne = 0.5,
    ) -> None:
        super().__init__(
            latent_dim,
            resolution,
            channels,
            width,
            max_width,
            num_classes=num_classes,
            norm=norm,
            norm_after_linear=norm_after_linear,
            slope=slope,
            label_code=label_code,
            upsample=upsample,
        )
        self.dropout = dropout

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images for latents z and labels (N,); the labels are None for an unconditional generator."""
        x = self.project(append_label_code(z, labels, self.num_classes, self.label_code))
        x = x.unflatten(1, (-1, self.base, self.base))  # (N, W·b·b) -> (N, W, b, b)
        activations = [index for index, layer in enumerate(self.body) if isinstance(layer, (nn.ReLU, nn.LeakyReLU))]
        seeds = latent_seeds(z)
        for index, layer in enumerate(self.body):
            x = layer(x)
            if self.dropout and index in activations[:-1]:
                kept = uniform_numbers(seeds + index * GOLDEN, x[0].numel()).view_as(x) >= self.dropout
                x = x * kept / (1 - self.dropout)
        return x


def latent_seeds(z: Tensor) -> Tensor:
    """Return a pseudo-random number of 32 bits for each latent: (N, d) -> (N,), int64."""
    bits = z.detach().float().contiguous().view(torch.int32).long() & MASK
    places = torch.arange(z.shape[1], device=z.device) * GOLDEN
    return _mix(_mix(bits + places).sum(1))


def uniform_numbers(seeds: Tensor, count: int) -> Tensor:
    """Return `count` pseudo-random numbers in [0, 1] for each seed: (N,) -> (N, count)."""
    places = torch.arange(count, device=seeds.device) * GOLDEN
    return _mix(_mix(seeds)[:, None] + places).float() / (MASK + 1)


def _mix(x: Tensor) -> Tensor:
    """Mix the lower 32 bits of each number with MurmurHash3's finaliser, and return the results as int64."""
    x = x & MASK
    x = (x ^ (x >> 16)) * 0x85EBCA6B & MASK
    x = (x ^ (x >> 13)) * 0xC2B2AE35 & MASK
    return x ^ (x >> 16)
