"""The textbook's fully connected generator and discriminator: Dense, LeakyReLU, norm or dropout.

In the conditional form a label embedding joins after the first Dense layer, before its activation.
"""

import torch
from torch import Tensor, nn

from ganexp.models.layers import InertBatchNorm, squeeze_logit

# Keras' batch norm: eps 1e-3, momentum 0.99, which torch counts as 0.01.
NORMS = {
    "none": lambda width: nn.Identity(),
    "batch": lambda width: nn.BatchNorm1d(width, eps=1e-3, momentum=0.01),
    "inert": lambda width: InertBatchNorm(width, eps=1e-3),
}


class Generator(nn.Module):
    """z (N, latent_dim), labels (N,) or None -> images (N, channels, resolution, resolution) in [-1, 1]."""

    def __init__(
        self,
        latent_dim: int,
        resolution: int,
        channels: int,
        hidden: list[int],
        num_classes: int = 0,
        norm: str = "batch",
        slope: float = 0.3,
        embedding_dim: int = 64,
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"norm={norm}: use one of {', '.join(NORMS)}")
        self.image_shape = (channels, resolution, resolution)
        self.body = _Trunk(latent_dim, hidden, num_classes, embedding_dim, slope, NORMS[norm])
        self.out = nn.Linear(hidden[-1], channels * resolution * resolution)
        _init_glorot(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.out(self.body(z, labels)).tanh()
        return x.unflatten(1, self.image_shape)  # (N, C·H·W) -> (N, C, H, W)


class Discriminator(nn.Module):
    """images (N, channels, resolution, resolution), labels (N,) or None -> logits (N,) or (N, logits)."""

    def __init__(
        self,
        resolution: int,
        channels: int,
        hidden: list[int],
        num_classes: int = 0,
        logits: int = 1,
        dropout: float = 0.0,
        slope: float = 0.3,
        embedding_dim: int = 64,
    ) -> None:
        super().__init__()
        self.body = _Trunk(
            channels * resolution * resolution,
            hidden,
            num_classes,
            embedding_dim,
            slope,
            lambda width: nn.Dropout(dropout) if dropout else nn.Identity(),
        )
        self.out = nn.Linear(hidden[-1], logits)
        _init_glorot(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return squeeze_logit(
            self.out(self.body(images.flatten(1), labels))
        )  # (N, C, H, W) -> (N, C·H·W) -> (N, logits)


class _Trunk(nn.Module):
    """Dense -> [join the label's embedding] -> LeakyReLU -> norm or dropout, for each hidden width."""

    def __init__(self, inputs, hidden, num_classes, embedding_dim, slope, after) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, hidden[0])
        self.embedding = nn.Embedding(num_classes, embedding_dim) if num_classes else None
        width = hidden[0] + (embedding_dim if num_classes else 0)
        layers = [nn.LeakyReLU(slope), after(width)]
        for next_width in hidden[1:]:
            layers += [nn.Linear(width, next_width), nn.LeakyReLU(slope), after(next_width)]
            width = next_width
        self.rest = nn.Sequential(*layers)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        x = self.first(x)
        if self.embedding is not None:
            x = torch.cat([x, self.embedding(labels)], 1)  # (N, hidden) -> (N, hidden + embedding_dim)
        return self.rest(x)


def _init_glorot(module: nn.Module) -> None:
    """Keras' defaults: Glorot-uniform weights, zero biases, embeddings from U(-0.05, 0.05)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Embedding):
            nn.init.uniform_(layer.weight, -0.05, 0.05)
