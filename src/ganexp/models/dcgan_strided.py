"""A DCGAN in which every convolution changes height and width by a factor of 2, except the first of the generator.

Source: Radford et al. 2016. The layers are those of pytorch-gan-collections (w86763777), model `cnn32`: in the
discriminator, batch norm follows LeakyReLU. The resolution is a multiple of 16. The input of a conditional generator is
the latent followed by a code of the label. A conditional discriminator has a projection head.
"""

from itertools import pairwise

from torch import Tensor, nn

from ganexp.models.dcgan import NORMS, Norm
from ganexp.models.heads import make_head
from ganexp.models.layers import LabelCode, append_label_code
from ganexp.models.resolution import divide_resolution
from ganexp.models.upsampling import Upsample, make_upsampling
from ganexp.types import NonNegativeInt, PositiveInt, Resolution


class Generator(nn.Module):
    """Map latents (N, latent_dim) and labels to images (N, channels, resolution, resolution) in [-1, 1].

    Layers: a transposed convolution from 1x1 to a sixteenth of the resolution; four times batch norm, ReLU and a
    transposed convolution 4x4 of stride 2 (or `NearestConv2d`); tanh. No convolution has a bias.

    Args:
        latent_dim: number of components of a latent.
        resolution: height and width of the images, a multiple of 16.
        channels: number of channels of the images.
        num_classes: number of classes; 0 for an unconditional generator.
        width: number of channels of the last feature map; earlier feature maps have 2, 4 and 8 times as many.
        label_code: code of the label: 1 for its class, and 0 (`one_hot`) or -1 (`plus_minus`) for all other classes.
        upsample: how height and width double: by a `transposed` convolution, or by `nearest` (see `NearestConv2d`).

    Raises:
        ValueError: the resolution is not a multiple of 16.
    """

    def __init__(
        self,
        latent_dim: PositiveInt,
        resolution: Resolution,
        channels: PositiveInt,
        num_classes: NonNegativeInt = 0,
        width: PositiveInt = 128,
        label_code: LabelCode = "one_hot",
        upsample: Upsample = "transposed",
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.label_code = label_code
        widths = [8 * width, 4 * width, 2 * width, width]
        base = divide_resolution(resolution, 16)
        self.body = nn.Sequential(nn.ConvTranspose2d(latent_dim + num_classes, widths[0], base, bias=False))
        for inputs, outputs in pairwise([*widths, channels]):
            up = make_upsampling(upsample, inputs, outputs, bias=False)
            self.body.extend([nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), up])
        self.body.append(nn.Tanh())
        _init_convolutions(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images for latents z and labels (N,); the labels are None for an unconditional generator."""
        x = append_label_code(z, labels, self.num_classes, self.label_code)
        return self.body(x[..., None, None])  # (N, L, 1, 1) -> (N, 8W, b, b) -> (N, C, 16b, 16b)


class Discriminator(nn.Module):
    """Map images (N, channels, resolution, resolution) and labels to logits (N,), or (N, logits) if `logits` > 1.

    Layers: four times a convolution 5x5 of stride 2 without bias, LeakyReLU(0.2) and a norm; a linear layer. There is
    no norm after the first convolution.

    Args:
        resolution: height and width of the images, a multiple of 16.
        channels: number of channels of the images.
        num_classes: number of classes; 0 for an unconditional discriminator.
        logits: number of outputs per image.
        width: number of channels of the first feature map; later feature maps have 2, 4 and 8 times as many.
        norm: normalisation after each LeakyReLU except the first.

    Raises:
        ValueError: the resolution is not a multiple of 16; there are labels and several logits; or instance norm would
            be applied to a feature map with a single position.
    """

    def __init__(
        self,
        resolution: Resolution,
        channels: PositiveInt,
        num_classes: NonNegativeInt = 0,
        logits: PositiveInt = 1,
        width: PositiveInt = 64,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        if norm == "instance" and resolution == 16:
            raise ValueError(
                "norm=instance: the last feature map of 16x16 images has a single position: use norm=layer or 32x32 "
                "images"
            )
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.body = nn.Sequential()
        for index, (inputs, outputs) in enumerate(pairwise([channels, *widths])):
            down = nn.Conv2d(inputs, outputs, 5, 2, 2, bias=False)
            after = NORMS[norm if index else "none"](outputs)
            self.body.extend([down, nn.LeakyReLU(0.2, inplace=True), after])
        _init_convolutions(self)
        self.head = make_head("projection", widths[-1] * divide_resolution(resolution, 16) ** 2, num_classes, logits)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits for images and labels (N,); the labels are None for an unconditional discriminator."""
        features = self.body(images).flatten(1)  # (N, C, 16b, 16b) -> (N, 8W, b, b) -> (N, 8W·b·b)
        return self.head(features, labels)


def _init_convolutions(network: nn.Module) -> None:
    """Draw the weights of convolutions from a normal distribution with Xavier's variance."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_normal_(layer.weight)
