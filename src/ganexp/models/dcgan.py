"""Convolutional generator and discriminator. Source: Radford et al. 2016; the layers are those of chainer-gan-lib.

The resolution is base·2^k with a base from 3 to 7. The input of a conditional generator is the latent followed by a
code of the label; `head` determines how a conditional discriminator uses the label.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from ganexp.models.heads import HeadKind, make_head
from ganexp.models.layers import FeatureBatchNorm, LabelCode, OffsetBatchNorm, append_label_code, init_normal
from ganexp.models.minibatch import MinibatchKind, make_minibatch_layer
from ganexp.models.resolution import split_resolution
from ganexp.models.spectral import SpectralNorm, apply_spectral_norm
from ganexp.models.upsampling import Upsample, make_upsampling
from ganexp.types import NonNegativeInt, PositiveInt, Resolution, UnitInterval

Norm = Literal["none", "batch", "batch_offset", "layer", "instance"]
NORMS: dict[Norm, Callable[[int], nn.Module]] = {  # each function takes the number of channels
    "none": lambda channels: nn.Identity(),
    "batch": lambda channels: nn.BatchNorm2d(channels),
    "batch_offset": lambda channels: OffsetBatchNorm(channels),
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
}


class Generator(nn.Module):
    """Map latents (N, latent_dim) and labels to images (N, channels, resolution, resolution) in [-1, 1].

    Layers: a linear layer to a feature map of size base x base; k times a transposed convolution 4x4 of stride 2 (or
    `NearestConv2d`), a norm and ReLU; a convolution 3x3 and tanh.

    Args:
        latent_dim: number of components of a latent.
        resolution: height and width of the images, base·2^k with a base from 3 to 7.
        channels: number of channels of the images.
        width: number of channels at full resolution; the number doubles whenever height and width are halved.
        max_width: maximum number of channels of a feature map.
        num_classes: number of classes; 0 for an unconditional generator.
        norm: normalisation after each layer except the last.
        norm_after_linear: whether a norm follows the linear layer too. `features` normalises each output of the
            layer separately by batch norm, as in chainer-gan-lib, instead of each channel of the feature map.
        slope: slope of LeakyReLU for negative inputs; 0 is ReLU.
        label_code: code of the label: 1 for its class, and 0 (`one_hot`) or -1 (`plus_minus`) for all other classes.
        upsample: how height and width double: by a `transposed` convolution, or by `nearest` (see `NearestConv2d`).

    Raises:
        ValueError: the resolution does not have the form base·2^k with a base from 3 to 7.
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
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.label_code = label_code
        self.base, doublings = split_resolution(resolution)
        widths = [min(width * 2**i, max_width) for i in range(doublings, -1, -1)]  # from the base to full resolution
        self.project = nn.Linear(latent_dim + num_classes, widths[0] * self.base**2)
        first_norm = NORMS[norm if norm_after_linear else "none"](widths[0])
        if norm_after_linear == "features":
            first_norm = FeatureBatchNorm(widths[0] * self.base**2)
        layers = [first_norm, _make_relu(slope)]
        for inputs, outputs in pairwise(widths):
            layers += [make_upsampling(upsample, inputs, outputs), NORMS[norm](outputs), _make_relu(slope)]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], channels, 3, 1, 1), nn.Tanh())
        init_normal(self, 0.02)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images for latents z and labels (N,); the labels are None for an unconditional generator."""
        x = self.project(append_label_code(z, labels, self.num_classes, self.label_code))
        x = x.unflatten(1, (-1, self.base, self.base))  # (N, W·b·b) -> (N, W, b, b)
        return self.body(x)  # (N, W, b, b) -> (N, C, H, W)


class Discriminator(nn.Module):
    """Map images (N, channels, resolution, resolution) and labels to logits (N,), or (N, logits) if `logits` > 1.

    With `head=classes`, the discriminator returns a pair: the logits, and class logits (N, num_classes).
    Layers: a convolution 3x3; k times a convolution 4x4 of stride 2 and a convolution 3x3; the layer `minibatch`, if it
    is not `none`; the head. LeakyReLU(0.2) follows each convolution; a norm precedes each LeakyReLU except the first.

    Args:
        resolution: height and width of the images, base·2^k with a base from 3 to 7.
        channels: number of channels of the images.
        width: number of channels at full resolution; the number doubles whenever height and width are halved.
        max_width: maximum number of channels of a feature map.
        num_classes: number of classes; 0 for an unconditional discriminator.
        logits: number of outputs per image.
        norm: normalisation after each convolution except the first; `batch_offset` is batch norm without a learned
            scale.
        norm_last: whether a norm follows the last convolution too.
        spectral_norm: kind of spectral norm of every layer.
        minibatch: layer that compares the images of a batch. With `discrimination`, each image gets further features
            that measure its similarity to the other images. With `std`, each image gets one further feature: the
            standard deviation over the batch. With `none`, there is no such layer.
        minibatch_kernels: number of distances that minibatch discrimination computes for each pair of images.
        minibatch_dims: number of components that each distance of minibatch discrimination compares.
        head: how labels are used: `projection` adds a projection of the label to the logit, `classes` also returns
            class logits, `none` ignores labels.

    Raises:
        ValueError: the resolution does not have the form base·2^k, or the head does not fit `num_classes` and `logits`.
    """

    def __init__(
        self,
        resolution: Resolution,
        channels: PositiveInt,
        width: PositiveInt = 64,
        max_width: PositiveInt = 512,
        num_classes: NonNegativeInt = 0,
        logits: PositiveInt = 1,
        norm: Norm = "batch",
        head: HeadKind = "projection",
        norm_last: bool = True,
        spectral_norm: SpectralNorm = "none",
        minibatch: MinibatchKind = "none",
        minibatch_kernels: PositiveInt = 100,
        minibatch_dims: PositiveInt = 5,
    ) -> None:
        super().__init__()
        base, doublings = split_resolution(resolution)
        widths = [min(width * 2**i, max_width) for i in range(doublings + 1)]  # from full resolution to the base
        layers = [nn.Conv2d(channels, widths[0], 3, 1, 1), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), NORMS[norm](outputs), nn.LeakyReLU(0.2)]
            layers += [nn.Conv2d(outputs, outputs, 3, 1, 1), NORMS[norm](outputs), nn.LeakyReLU(0.2)]
        if not norm_last and doublings:
            layers[-2] = nn.Identity()
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.feature_dim = widths[-1] * base**2
        self.minibatch, count = make_minibatch_layer(minibatch, self.feature_dim, minibatch_kernels, minibatch_dims)
        self.head = make_head(head, count, num_classes, logits)
        init_normal(self, 0.02)
        for layer in list(self.modules()):
            if isinstance(layer, (nn.Conv2d, nn.Linear, nn.Embedding)):
                apply_spectral_norm(layer, spectral_norm)

    def features(self, images: Tensor) -> Tensor:
        """Return the flattened last feature map (N, feature_dim) for images (N, C, H, H)."""
        return self.body(images)  # (N, C, H, W) -> (N, W·b·b)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Return logits, or logits and class logits. The labels (N,) are None for an unconditional discriminator."""
        return self.head(self.minibatch(self.features(images)), labels)


def _make_relu(slope: float) -> nn.Module:
    return nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)
