"""Discriminator and denoiser of denoising feature matching (Warde-Farley and Bengio 2017), as in chainer-gan-lib."""

from itertools import pairwise

from torch import Tensor, nn

from ganexp.models.dcgan import NORMS, Norm
from ganexp.models.heads import make_head
from ganexp.models.layers import init_normal, zero_bias
from ganexp.models.resolution import split_resolution
from ganexp.types import NonNegativeInt, PositiveInt, Resolution


class Discriminator(nn.Module):
    """Map images (N, channels, resolution, resolution) and labels to logits (N,), or (N, logits) if `logits` > 1.

    Layers: a convolution 3x3; k + 1 times a convolution 4x4 of stride 2; a linear layer. Batch norm follows each
    convolution except the first one; the last batch norm has no learned scale. LeakyReLU(0.2) follows each convolution.
    The features are the output of the last batch norm.

    Args:
        resolution: height and width of the images, base·2^k with a base from 3 to 7.
        channels: number of channels of the images.
        width: number of channels at full resolution; the number doubles whenever height and width are halved.
        max_width: maximum number of channels of a feature map.
        num_classes: number of classes; 0 for an unconditional discriminator.
        logits: number of outputs per image.
        norm: normalisation after each convolution except the first; after the last one, `batch` has no learned scale.

    Raises:
        ValueError: the resolution does not have the form base·2^k, or there are labels and several logits.
    """

    def __init__(
        self,
        resolution: Resolution,
        channels: PositiveInt,
        width: PositiveInt = 32,
        max_width: PositiveInt = 512,
        num_classes: NonNegativeInt = 0,
        logits: PositiveInt = 1,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        base, doublings = split_resolution(resolution)
        widths = [min(width * 2**i, max_width) for i in range(doublings + 2)]  # from full resolution to half the base
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, 1, 1), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), NORMS[norm](outputs), nn.LeakyReLU(0.2)]
        layers[-2:] = [NORMS["batch_offset" if norm == "batch" else norm](widths[-1]), nn.Flatten()]
        self.body = nn.Sequential(*layers)
        self.feature_dim = widths[-1] * (base // 2) ** 2
        self.activation = nn.LeakyReLU(0.2)
        self.head = make_head("projection", self.feature_dim, num_classes, logits)
        init_normal(self, 0.02)

    def features(self, images: Tensor) -> Tensor:
        """Return the features (N, feature_dim) of images (N, C, H, H), before the activation."""
        return self.body(images)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits for images and labels (N,); the labels are None for an unconditional discriminator."""
        return self.head(self.activation(self.features(images)), labels)


class Denoiser(nn.Module):
    """Map noisy features (N, features) to features of the same shape.

    The network has `layers` linear layers. Batch norm and LeakyReLU(0.2) follow each layer except the last. Weights are
    drawn from N(0, 1/inputs), and biases are 0.

    Args:
        features: number of features of an image. If the config does not set this number, the discriminator's
            `feature_dim` is used.
        layers: number of linear layers.
    """

    def __init__(self, features: PositiveInt, layers: PositiveInt = 10) -> None:
        super().__init__()
        self.body = nn.Sequential()
        for _ in range(layers - 1):
            self.body.extend([nn.Linear(features, features), nn.BatchNorm1d(features), nn.LeakyReLU(0.2)])
        self.body.append(nn.Linear(features, features))
        for layer in self.body:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0.0, features**-0.5)  # LeCun et al. 1998; chainer's default
                zero_bias(layer)

    def forward(self, features: Tensor) -> Tensor:
        """Return denoised features (N, F)."""
        return self.body(features)
