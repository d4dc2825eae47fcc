"""A discriminator that is an auto-encoder. Source: Berthelot et al. 2017 (BEGAN); layers as in chainer-gan-lib.

The resolution is base·2^k with a base from 3 to 7.
"""

from itertools import pairwise

from torch import Tensor, nn

from ganexp.models.layers import append_label_code, init_normal
from ganexp.models.resolution import split_resolution
from ganexp.types import NonNegativeInt, PositiveInt, Resolution


class Discriminator(nn.Module):
    """Map images v (N, channels, resolution, resolution) to their reconstruction errors (N,), the means of |AE(v) - v|.

    Encoder: a convolution 3x3; k times a convolution 4x4 of stride 2; a linear layer. Decoder: a linear layer; k times
    a transposed convolution 4x4 of stride 2; a convolution 3x3 and tanh. LeakyReLU(0.2) follows each layer except the
    last. In a conditional discriminator, the decoder's input is the code followed by the one-hot label.

    Args:
        resolution: height and width of the images, base·2^k with a base from 3 to 7.
        channels: number of channels of the images.
        width: number of channels at full resolution; the number doubles whenever height and width are halved.
        max_width: maximum number of channels of a feature map.
        code: number of components of an image's code, which is the output of the encoder.
        num_classes: number of classes; 0 for an unconditional discriminator.

    Raises:
        ValueError: the resolution does not have the form base·2^k with a base from 3 to 7.
    """

    returns = "reconstruction errors"  # what the loss receives instead of logits
    suits = "loss=began"

    def __init__(
        self,
        resolution: Resolution,
        channels: PositiveInt,
        width: PositiveInt = 64,
        max_width: PositiveInt = 512,
        code: PositiveInt = 128,
        num_classes: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        base, doublings = split_resolution(resolution)
        widths = [min(width * 2**i, max_width) for i in range(doublings + 1)]  # from full resolution to the base
        features = widths[-1] * base**2
        encoder = [nn.Conv2d(channels, widths[0], 3, 1, 1), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise(widths):
            encoder += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.encoder = nn.Sequential(*encoder, nn.Flatten(), nn.Linear(features, code), nn.LeakyReLU(0.2))
        decoder = [
            nn.Linear(code + num_classes, features),
            nn.LeakyReLU(0.2),
            nn.Unflatten(1, (widths[-1], base, base)),
        ]
        for inputs, outputs in pairwise(reversed(widths)):
            decoder += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.decoder = nn.Sequential(*decoder, nn.Conv2d(widths[0], channels, 3, 1, 1), nn.Tanh())
        init_normal(self, 0.02)

    def reconstruct(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the reconstructions AE(v), (N, C, H, H), of images v with the labels (N,) or None."""
        return self.decoder(append_label_code(self.encoder(images), labels, self.num_classes))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the reconstruction errors (N,) of images; labels (N,) are None for an unconditional discriminator."""
        return (self.reconstruct(images, labels) - images).abs().mean((1, 2, 3))
