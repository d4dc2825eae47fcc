"""SNGAN's generator and discriminator without residual blocks. Source: Miyato et al. 2018, table 3.

The resolution is a multiple of 8. Conditional networks use conditional batch norm in the generator and a projection
head in the discriminator.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import relu

from ganexp.models.heads import OneHotLinear, ProjectionHead
from ganexp.models.layers import ConditionalNorm, zero_bias
from ganexp.models.minibatch import MinibatchKind, make_minibatch_layer
from ganexp.models.resolution import divide_resolution
from ganexp.models.spectral import SpectralNorm, apply_spectral_norm
from ganexp.models.upsampling import Upsample, make_upsampling
from ganexp.types import NonNegativeInt, PositiveInt, Resolution


class Generator(nn.Module):
    """Map latents (N, latent_dim) and labels to images (N, channels, resolution, resolution) in [-1, 1].

    Layers: a linear layer; three times a transposed convolution 4x4 of stride 2 (or `NearestConv2d`), batch norm and
    ReLU; a convolution 3x3 and tanh.

    Args:
        latent_dim: number of components of a latent.
        resolution: height and width of the images, a multiple of 8.
        channels: number of channels of the images.
        num_classes: number of classes; 0 for an unconditional generator.
        width: number of channels at full resolution; earlier feature maps have 2, 4 and 8 times as many.
        upsample: how height and width double: by a `transposed` convolution, or by `nearest` (see `NearestConv2d`).

    Raises:
        ValueError: the resolution is not a multiple of 8.
    """

    def __init__(
        self,
        latent_dim: PositiveInt,
        resolution: Resolution,
        channels: PositiveInt,
        num_classes: NonNegativeInt = 0,
        width: PositiveInt = 64,
        upsample: Upsample = "transposed",
    ) -> None:
        super().__init__()
        self.base = divide_resolution(resolution, 8)
        widths = [8 * width, 4 * width, 2 * width, width]
        self.project = nn.Linear(latent_dim, widths[0] * self.base**2)
        self.ups = nn.ModuleList(make_upsampling(upsample, inputs, outputs) for inputs, outputs in pairwise(widths))
        self.norms = nn.ModuleList(ConditionalNorm(outputs, num_classes, "default") for outputs in widths[1:])
        self.out = nn.Conv2d(width, channels, 3, 1, 1)
        for layer in (*self.ups, self.out):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images for latents z and labels (N,); the labels are None for an unconditional generator."""
        x = self.project(z).unflatten(1, (-1, self.base, self.base))  # (N, 8W·b·b) -> (N, 8W, b, b)
        for up, norm in zip(self.ups, self.norms, strict=True):
            x = relu(norm(up(x), labels))  # (N, W', s, s) -> (N, W'/2, 2s, 2s)
        return self.out(x).tanh()


class Discriminator(nn.Module):
    """Map images (N, channels, resolution, resolution) and labels to logits (N,), or (N, logits) if `logits` > 1.

    Layers: three pairs of convolutions (3x3 of stride 1, then 4x4 of stride 2); a convolution 3x3; a linear layer.
    LeakyReLU(0.1) follows each convolution.

    Args:
        resolution: height and width of the images, a multiple of 8.
        channels: number of channels of the images.
        num_classes: number of classes; 0 for an unconditional discriminator.
        logits: number of outputs per image.
        width: number of channels at full resolution; later feature maps have 2, 4 and 8 times as many.
        spectral_norm: kind of spectral norm of every layer.
        spectral_norm_output: whether `spectral_norm` also applies to the last linear layer; `spectral_norm` always
            applies to the label embedding.
        minibatch: layer that compares the images of a batch. With `discrimination`, each image gets further features
            that measure its similarity to the other images. With `std`, each image gets one further feature: the
            standard deviation over the batch. With `none`, there is no such layer.
        minibatch_kernels: number of distances that minibatch discrimination computes for each pair of images.
        minibatch_dims: number of components that each distance of minibatch discrimination compares.

    Raises:
        ValueError: the resolution is not a multiple of 8, or there are labels and several logits.
    """

    def __init__(
        self,
        resolution: Resolution,
        channels: PositiveInt,
        num_classes: NonNegativeInt = 0,
        logits: PositiveInt = 1,
        width: PositiveInt = 64,
        spectral_norm: SpectralNorm = "persistent",
        spectral_norm_output: bool = True,
        minibatch: MinibatchKind = "none",
        minibatch_kernels: PositiveInt = 100,
        minibatch_dims: PositiveInt = 5,
    ) -> None:
        super().__init__()
        features = 8 * width * divide_resolution(resolution, 8) ** 2
        self.body = nn.Sequential()
        for layer in self._convolutions(channels, width):
            zero_bias(layer)
            self.body.extend([apply_spectral_norm(layer, spectral_norm), nn.LeakyReLU(0.1, inplace=True)])
        self.minibatch, features = make_minibatch_layer(minibatch, features, minibatch_kernels, minibatch_dims)
        for projection in self.minibatch.children():
            apply_spectral_norm(projection, spectral_norm)
        linear = nn.Linear(features, logits)
        if spectral_norm_output:
            zero_bias(linear)
            apply_spectral_norm(linear, spectral_norm)
        embedding = apply_spectral_norm(OneHotLinear(num_classes, features), spectral_norm) if num_classes else None
        self.head = ProjectionHead(linear, embedding)

    @staticmethod
    def _convolutions(channels: int, width: int) -> list[nn.Conv2d]:
        layers = []
        inputs = channels
        for outputs in (width, 2 * width, 4 * width):
            layers += [nn.Conv2d(inputs, outputs, 3, 1, 1), nn.Conv2d(outputs, outputs, 4, 2, 1)]
            inputs = outputs
        return [*layers, nn.Conv2d(inputs, 8 * width, 3, 1, 1)]

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits for images and labels (N,); the labels are None for an unconditional discriminator."""
        features = self.body(images).flatten(1)  # (N, C, H, W) -> (N, 8W, b, b) -> (N, 8W·b·b)
        return self.head(self.minibatch(features), labels)
