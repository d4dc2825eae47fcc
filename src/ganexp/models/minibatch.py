"""Layers that let a discriminator compare the images of a batch."""

from typing import Literal

import torch
from torch import Tensor, nn

from ganexp.models.layers import init_normal
from ganexp.models.minibatch_std import MinibatchStd

MinibatchKind = Literal["none", "discrimination", "std"]


def make_minibatch_layer(kind: MinibatchKind, features: int, kernels: int, dims: int) -> tuple[nn.Module, int]:
    """Return a layer for the features (N, F) of a batch, and the number of features per image that the layer returns.

    Args:
        kind: `discrimination` is `MinibatchDiscrimination`, `std` is `MinibatchStd`, `none` changes nothing.
        features: number of input features F.
        kernels: number of distances that `MinibatchDiscrimination` computes for each pair of images.
        dims: number of components that each of these distances compares.
    """
    if kind == "discrimination":
        return MinibatchDiscrimination(features, kernels, dims), features + kernels
    return (MinibatchStd(), features + 1) if kind == "std" else (nn.Identity(), features)


class MinibatchDiscrimination(nn.Module):
    """Append features that measure an image's similarity to the other images of the batch: (N, F) -> (N, F + kernels).

    A learned matrix T maps the features h of each image to M = T·h of shape (kernels, dims). The b-th appended feature
    of image i is Σ_{j≠i} exp(-‖M_ib - M_jb‖₁). Real and generated images must be in separate batches. Source: Salimans
    et al. 2016, section 3.2; there, the sum also includes j = i, which adds 1.

    Use it when the generator collapses to a few images.

    Args:
        features: number of input features F.
        kernels: number of distances that are computed for each pair of images.
        dims: number of components that each distance compares.

    Example:
        >>> layer = MinibatchDiscrimination(1, kernels=1, dims=1)
        >>> layer.projection.weight.data.fill_(1.0)
        tensor([[1.]])
        >>> layer(torch.tensor([[0.0], [0.0], [1.0]]))[:, 1]  # exp(0) + exp(-1), the same, 2·exp(-1)
        tensor([1.3679, 1.3679, 0.7358], grad_fn=<SelectBackward0>)
    """

    mixes_samples = True
    needs_separate_batches = True

    def __init__(self, features: int, kernels: int, dims: int) -> None:
        super().__init__()
        self.kernels, self.dims = kernels, dims
        self.projection = nn.Linear(features, kernels * dims, bias=False)  # a bias would not change the differences
        init_normal(self, 0.02)

    def forward(self, h: Tensor) -> Tensor:
        """Return features h (N, F) followed by the similarity to the other images, as (N, F + kernels)."""
        m = self.projection(h).unflatten(1, (self.kernels, self.dims))  # (N, F) -> (N, B, C)
        distances = (m[:, None] - m[None]).abs().sum(3)  # (N, N, B)
        closeness = torch.exp(-distances).sum(1) - 1  # (N, B), without the image itself
        return torch.cat([h, closeness], 1)
