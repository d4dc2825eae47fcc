"""Pictures of samples: grids, and walks between latents."""

import math
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid, save_image

from ganexp.metrics.scores import to_uint8

SHORTEST_CELL = 48  # pixels; smaller images are enlarged, whole pixels at a time, to be readable


def grid(images: Tensor, columns: int) -> Tensor:
    """Images (N, C, H, W) in [-1, 1] -> one picture uint8 (3, H', W')."""
    enlarge = max(1, round(SHORTEST_CELL / images.shape[-1])) if images.shape[-1] < SHORTEST_CELL else 1
    pixels = to_uint8(images.cpu()).repeat_interleave(enlarge, 2).repeat_interleave(enlarge, 3)
    return make_grid(pixels, nrow=columns, padding=2, pad_value=80)


def beside(*parts: Tensor) -> Tensor:
    """Pictures (3, H, W) of one height, from left to right."""
    return torch.cat(parts, dim=2)


def save(picture: Tensor, path: Path) -> None:
    """Writes uint8 (3, H, W) as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(picture.float().div(255), path)


def save_single(image: Tensor, path: Path) -> None:
    """Writes one image (C, H, W) in [-1, 1] as PNG, pixel for pixel, grey as grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    to_pil(image).save(path)


def to_pil(image: Tensor) -> Image:
    """One image (C, H, W) in [-1, 1], pixel for pixel, grey as grey."""
    return to_pil_image(to_uint8(image.cpu()))


def interpolate(start: Tensor, end: Tensor, columns: int, spherical: bool = False) -> Tensor:
    """Latents from `start` to `end`, both (R, d): (R, columns, d), the first column `start`, the last `end`.

    Linear, or on the great circle (White 2016), which keeps a normal latent's length.
    """
    t = torch.linspace(0, 1, columns)[None, :, None]  # (1, columns, 1)
    a, b = start[:, None], end[:, None]  # (R, 1, d)
    if not spherical:
        return a + (b - a) * t
    cosine = torch.cosine_similarity(a, b, dim=-1).clamp(-1, 1)[..., None]
    angle = cosine.acos()
    if (angle.sin() < 1e-6).any():
        raise ValueError("a spherical walk needs two latents that are not on one line through the origin")
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()


def square(count: int) -> int:
    """Columns that make a grid of `count` images nearly square."""
    return math.ceil(math.sqrt(count))
