"""The fully connected generator and discriminator of the cases in conf/experiment/textbook.

Conditional networks append an embedding of the label to the output of the first linear layer, before the activation.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from ganexp.models.heads import squeeze_logit
from ganexp.models.layers import InertBatchNorm
from ganexp.types import BelowOne, NonNegativeInt, PositiveInt, Resolution, UnitInterval, Widths

Norm = Literal["none", "batch", "inert"]
# Keras' batch norm has eps 1e-3 and momentum 0.99, which is 0.01 in torch's convention.
NORMS: dict[Norm, Callable[[int], nn.Module]] = {  # each function takes the number of features
    "none": lambda width: nn.Identity(),
    "batch": lambda width: nn.BatchNorm1d(width, eps=1e-3, momentum=0.01),
    "inert": lambda width: InertBatchNorm(width, eps=1e-3),
}


class Generator(nn.Module):
    """Map latents (N, latent_dim) and labels to images (N, channels, resolution, resolution) in [-1, 1].

    Layers: for each number in `hidden`, a linear layer, LeakyReLU and a norm; then a linear layer and tanh.

    Args:
        latent_dim: number of components of a latent.
        resolution: height and width of the images.
        channels: number of channels of the images.
        hidden: number of outputs of each hidden layer.
        num_classes: number of classes; 0 for an unconditional generator.
        norm: normalisation after each activation. `inert` is batch norm with its initial statistics, which are never
            updated.
        slope: slope of LeakyReLU for negative inputs.
        embedding_dim: number of components of a label's embedding.
    """

    def __init__(
        self,
        latent_dim: PositiveInt,
        resolution: Resolution,
        channels: PositiveInt,
        hidden: Widths,
        num_classes: NonNegativeInt = 0,
        norm: Norm = "batch",
        slope: UnitInterval = 0.3,
        embedding_dim: PositiveInt = 64,
    ) -> None:
        super().__init__()
        self.image_shape = (channels, resolution, resolution)
        self.body = _Trunk(latent_dim, hidden, num_classes, embedding_dim, slope, NORMS[norm])
        self.out = nn.Linear(self.body.width, channels * resolution * resolution)
        _init_glorot(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images for latents z and labels (N,); the labels are None for an unconditional generator."""
        x = self.out(self.body(z, labels)).tanh()
        return x.unflatten(1, self.image_shape)  # (N, C·H·W) -> (N, C, H, W)


class Discriminator(nn.Module):
    """Map images (N, channels, resolution, resolution) and labels to logits (N,), or (N, logits) if `logits` > 1.

    Layers: for each number in `hidden`, a linear layer, LeakyReLU and dropout; then a linear layer.

    Args:
        resolution: height and width of the images.
        channels: number of channels of the images.
        hidden: number of outputs of each hidden layer.
        num_classes: number of classes; 0 for an unconditional discriminator.
        logits: number of outputs per image.
        dropout: probability that a feature is set to 0 in training.
        slope: slope of LeakyReLU for negative inputs.
        embedding_dim: number of components of a label's embedding.
    """

    def __init__(
        self,
        resolution: Resolution,
        channels: PositiveInt,
        hidden: Widths,
        num_classes: NonNegativeInt = 0,
        logits: PositiveInt = 1,
        dropout: BelowOne = 0.0,
        slope: UnitInterval = 0.3,
        embedding_dim: PositiveInt = 64,
    ) -> None:
        super().__init__()
        inputs = channels * resolution * resolution

        def make_dropout(width: int) -> nn.Module:
            return nn.Dropout(dropout) if dropout else nn.Identity()

        self.body = _Trunk(inputs, hidden, num_classes, embedding_dim, slope, make_dropout)
        self.out = nn.Linear(self.body.width, logits)
        _init_glorot(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits for images and labels (N,); the labels are None for an unconditional discriminator."""
        features = self.body(images.flatten(1), labels)  # (N, C, H, W) -> (N, width)
        return squeeze_logit(self.out(features))


class _Trunk(nn.Module):
    """For each number in `hidden`, apply a linear layer, LeakyReLU and the layer that `make_last` returns.

    A label's embedding is appended to the output of the first linear layer. The attribute `width` is the number of
    output features: hidden[-1], plus the components of the embedding if there is only one linear layer.

    Args:
        inputs: number of input features.
        hidden: number of outputs of each linear layer.
        num_classes: number of classes; 0 if there are none.
        embedding_dim: number of components of a label's embedding.
        slope: slope of LeakyReLU for negative inputs.
        make_last: function that takes a number of features, and returns the layer that follows LeakyReLU.
    """

    def __init__(
        self,
        inputs: int,
        hidden: list[int],
        num_classes: int,
        embedding_dim: int,
        slope: float,
        make_last: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, hidden[0])
        self.embedding = nn.Embedding(num_classes, embedding_dim) if num_classes else None
        width = hidden[0] + (embedding_dim if num_classes else 0)
        layers = [nn.LeakyReLU(slope), make_last(width)]
        for next_width in hidden[1:]:
            layers += [nn.Linear(width, next_width), nn.LeakyReLU(slope), make_last(next_width)]
            width = next_width
        self.width = width
        self.rest = nn.Sequential(*layers)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Return features (N, width) for x (N, inputs) and labels (N,) or None."""
        x = self.first(x)
        if self.embedding is not None:
            x = torch.cat([x, self.embedding(labels)], 1)  # (N, hidden) -> (N, hidden + embedding_dim)
        return self.rest(x)


def _init_glorot(module: nn.Module) -> None:
    """Initialise as Keras does: Glorot-uniform weights, zero biases, embeddings from U(-0.05, 0.05)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Embedding):
            nn.init.uniform_(layer.weight, -0.05, 0.05)
