"""The two networks of an article about DCGAN on MNIST, for 28x28 pixels or another size that is a multiple of 4.

The input of a conditional generator is the latent followed by the one-hot label. A conditional discriminator has a
projection head.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from ganexp.models.heads import make_head
from ganexp.models.layers import append_label_code, init_normal
from ganexp.models.resolution import divide_resolution
from ganexp.models.upsampling import NearestConv2d, Upsample
from ganexp.types import BelowOne, NonNegativeInt, PositiveInt, Resolution, UnitInterval


class Generator(nn.Module):
    """Map latents (N, latent_dim) and labels to images (N, channels, resolution, resolution) in [-1, 1].

    Layers: a linear layer to 1024 features; a linear layer to 128 channels at a quarter of the resolution; a transposed
    convolution 5x5 of stride 2 to 64 channels; a transposed convolution 5x5 of stride 2 to the image, with tanh. Batch
    norm and ReLU follow each of the first three layers.

    Args:
        latent_dim: number of components of a latent; 100 in the article about DCGAN on MNIST.
        resolution: height and width of the images, a multiple of 4.
        channels: number of channels of the images.
        num_classes: number of classes; 0 for an unconditional generator.
        affine: whether batch norm has a learned scale and offset. In the article about DCGAN on MNIST, it has neither.
        batch_statistics_only: whether batch norm uses the statistics of the batch, instead of running averages, in
            evaluation too. The article does so.
        upsample: how height and width double: by a `transposed` convolution, or by `nearest` (see `NearestConv2d`).

    Raises:
        ValueError: the resolution is not a multiple of 4.
    """

    def __init__(
        self,
        latent_dim: PositiveInt,
        resolution: Resolution,
        channels: PositiveInt,
        num_classes: NonNegativeInt = 0,
        affine: bool = True,
        batch_statistics_only: bool = False,
        upsample: Upsample = "transposed",
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.side = divide_resolution(resolution, 4)
        features = 128 * self.side**2
        norm: dict[str, Any] = {"eps": 1e-5, "affine": affine, "track_running_stats": not batch_statistics_only}
        self.dense = nn.Sequential(
            nn.Linear(latent_dim + num_classes, 1024),
            nn.BatchNorm1d(1024, **norm),
            nn.ReLU(inplace=True),
            nn.Linear(1024, features),
            nn.BatchNorm1d(features, **norm),
            nn.ReLU(inplace=True),
        )
        self.up = nn.Sequential(
            _make_upsampling(upsample, 128, 64),
            nn.BatchNorm2d(64, **norm),
            nn.ReLU(inplace=True),
            _make_upsampling(upsample, 64, channels),
            nn.Tanh(),
        )
        init_normal(self, 0.02)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images for latents z and labels (N,); the labels are None for an unconditional generator."""
        x = self.dense(append_label_code(z, labels, self.num_classes))
        x = x.unflatten(1, (128, self.side, self.side))  # (N, 128·s·s) -> (N, 128, s, s)
        return self.up(x)  # (N, 128, s, s) -> (N, C, 4s, 4s)


class Discriminator(nn.Module):
    """Map images (N, channels, resolution, resolution) and labels to logits (N,), or (N, logits) if `logits` > 1.

    Layers: a convolution 5x5 of stride 2 to 64 channels; a convolution 5x5 of stride 2 to 128 channels; a linear layer
    to 256 features; dropout; a linear layer. LeakyReLU follows each of the first three layers.

    Args:
        resolution: height and width of the images, a multiple of 4.
        channels: number of channels of the images.
        num_classes: number of classes; 0 for an unconditional discriminator.
        logits: number of outputs per image.
        slope: slope of LeakyReLU for negative inputs.
        dropout: probability that a feature is set to 0 in training.

    Raises:
        ValueError: the resolution is not a multiple of 4, or there are labels and several logits.
    """

    def __init__(
        self,
        resolution: Resolution,
        channels: PositiveInt,
        num_classes: NonNegativeInt = 0,
        logits: PositiveInt = 1,
        slope: UnitInterval = 0.01,
        dropout: BelowOne = 0.5,
    ) -> None:
        super().__init__()
        side = divide_resolution(resolution, 4)
        self.body = nn.Sequential(
            SameConv2d(channels, 64),
            nn.LeakyReLU(slope),
            SameConv2d(64, 128),
            nn.LeakyReLU(slope),
            nn.Flatten(),
            nn.Linear(128 * side**2, 256),
            nn.LeakyReLU(slope),
            nn.Dropout(dropout),
        )
        self.head = make_head("projection", 256, num_classes, logits)
        init_normal(self, 0.02)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits for images and labels (N,); the labels are None for an unconditional discriminator."""
        features = self.body(images)  # (N, C, H, W) -> (N, 256)
        return self.head(features, labels)


class SameConv2d(nn.Conv2d):
    """Apply a convolution 5x5 of stride 2 with TensorFlow's padding SAME: one zero before the input, two after it.

    Use it to reproduce networks that were written in TensorFlow or Keras.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return a feature map (N, outputs, s, s) for x (N, inputs, 2s, 2s)."""
        return super().forward(pad(x, (1, 2, 1, 2)))


class SameConvTranspose2d(nn.ConvTranspose2d):
    """Apply the transpose of `SameConv2d`.

    Use it to reproduce networks that were written in TensorFlow or Keras.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # no argument output_size
        """Return a feature map (N, outputs, 2s, 2s) for x (N, inputs, s, s)."""
        return super().forward(x)[..., :-1, :-1]  # (2s+1, 2s+1) -> (2s, 2s)


def _make_upsampling(kind: Upsample, inputs: int, outputs: int) -> nn.Module:
    return NearestConv2d(inputs, outputs, 5) if kind == "nearest" else SameConvTranspose2d(inputs, outputs)
