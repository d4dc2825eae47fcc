"""Layers and initialisation that several networks share.

In some layers, such as batch norm, the output for an image depends on the other images of the batch. Such a layer sets
the class attribute `needs_separate_batches` to True; torch's batch norm is recognised without this attribute. A
discriminator with such a layer receives real and generated images in separate batches. With schedule.joint_batch=auto,
any other discriminator receives real and generated images in one batch, which is faster.

If a layer also sets `mixes_samples` to True, ganexp refuses penalties that need a separate gradient for each image.
`MinibatchStd` does not set `mixes_samples`, because Karras et al. 2018 combine this layer with a gradient
penalty.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.nn.modules.batchnorm import _BatchNorm

LabelCode = Literal["one_hot", "plus_minus"]


class InertBatchNorm(nn.BatchNorm1d):
    """Apply batch norm with its initial statistics, in training too: y = x·weight/√(1 + eps) + bias.

    Keras computes this when code calls a model without `training=True` during training.

    Use it to reproduce code that calls Keras models in this way.
    """

    needs_separate_batches = False

    def forward(self, x: Tensor) -> Tensor:
        """Scale and shift x (N, C), and return it with the same shape."""
        return x * (self.weight / (1 + self.eps) ** 0.5) + self.bias


class OffsetBatchNorm(nn.BatchNorm2d):
    """Apply batch norm with a learned offset and without a learned scale: y = (x - mean)/√(var + eps) + bias.

    Use it to reproduce chainer-gan-lib, which leaves out the scale.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=False)
        self.bias = nn.Parameter(torch.zeros(channels))
        del self.weight
        # On a GPU, torch's batch norm with a bias also needs a weight.
        self.register_buffer("weight", torch.ones(channels), persistent=False)


class FeatureBatchNorm(nn.BatchNorm1d):
    """Apply batch norm to every element of a feature map separately: (N, C, H, W) to the same shape.

    Use it to reproduce chainer-gan-lib, in which batch norm after a linear layer works in this way.

    Args:
        features: number of elements of the feature map, C·H·W.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (N, C, H, W), and return it with the same shape."""
        return super().forward(x.flatten(1)).view_as(x)


class ConditionalNorm(nn.Module):
    """Apply conditional batch norm: the scale 1 + W·onehot(label) and the offset V·onehot(label) depend on the label.

    If there are no classes, this is ordinary batch norm. Sources: Dumoulin et al. 2017; De Vries et al. 2017.

    Use it when a generator with batch norm gets labels.

    Args:
        channels: number of channels of the feature maps.
        num_classes: number of classes; 0 for ordinary batch norm.
        init: initialisation of W and V: `xavier` is Glorot-uniform, `default` is torch's initialisation of a linear
            layer that takes one-hot labels.
    """

    def __init__(self, channels: int, num_classes: int, init: Literal["xavier", "default"] = "xavier") -> None:
        super().__init__()
        if not num_classes:
            self.norm, self.scale = nn.BatchNorm2d(channels), None
            return
        self.norm = nn.BatchNorm2d(channels, eps=1e-4, affine=False)
        self.scale = nn.Embedding(num_classes, channels)
        self.offset = nn.Embedding(num_classes, channels)
        limit = (6 / (num_classes + channels) if init == "xavier" else 1 / num_classes) ** 0.5
        for embedding in (self.scale, self.offset):
            nn.init.uniform_(embedding.weight, -limit, limit)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Normalise x (N, C, H, W), and return it; the labels (N,) are None if there are no classes."""
        x = self.norm(x)
        if self.scale is None:
            return x
        scale = self.scale(labels)[..., None, None]  # (N,) -> (N, C, 1, 1)
        offset = self.offset(labels)[..., None, None]  # (N,) -> (N, C, 1, 1)
        return torch.addcmul(offset.to(x.dtype), x, (1 + scale).to(x.dtype))  # in the precision of the feature map


def needs_separate_batches(network: nn.Module) -> bool:
    """Return whether a discriminator has a layer that needs real and generated images in separate batches."""
    layers = network.modules()
    return any(getattr(layer, "needs_separate_batches", isinstance(layer, _BatchNorm)) for layer in layers)


def append_label_code(z: Tensor, labels: Tensor | None, num_classes: int, label_code: LabelCode = "one_hot") -> Tensor:
    """Return latents (N, d) followed by a code of their labels (N,), as (N, d + num_classes).

    Args:
        z: latents (N, d).
        labels: labels (N,), or None if `num_classes` is 0.
        num_classes: number of classes; 0 returns z unchanged.
        label_code: code of the label: 1 for its class, and 0 (`one_hot`) or -1 (`plus_minus`) for all other classes.

    Raises:
        ValueError: there are classes, but no labels.
    """
    if not num_classes:
        return z
    if labels is None:
        raise ValueError(f"labels=None: the network has {num_classes} classes and needs a label for each latent")
    code = one_hot(labels, num_classes).to(z.dtype)  # (N,) -> (N, num_classes)
    if label_code == "plus_minus":
        code = 2 * code - 1
    return torch.cat([z, code], 1)


def init_normal(module: nn.Module, std: float) -> None:
    """Draw the weights of every convolution, linear layer and embedding from N(0, std²), and set biases to 0.

    Source: Radford et al. 2016, section 4 (std 0.02).
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)):
            nn.init.normal_(layer.weight, 0.0, std)
            zero_bias(layer)


def zero_bias(layer: nn.Module) -> None:
    """Set the bias of `layer` to 0, if it has one."""
    bias = getattr(layer, "bias", None)
    if bias is not None:
        nn.init.zeros_(bias)
