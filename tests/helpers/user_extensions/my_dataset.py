"""Images of horizontal and of vertical stripes."""

import torch

from ganexp.data.images import ImageSet


def stripes(root, split, resolution, channels, size: int):
    """Return `size` images of each kind for the train split, and None for the test split."""
    if split == "test":
        return None
    line = torch.arange(resolution).remainder(2).mul(255).to(torch.uint8)
    square = line.expand(channels, resolution, resolution)
    images = torch.stack([square, square.mT]).repeat_interleave(size, dim=0)
    return ImageSet(images, torch.arange(2).repeat_interleave(size), ["vertical", "horizontal"])
