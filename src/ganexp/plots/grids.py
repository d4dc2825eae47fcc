"""Arrange images in pictures, and save pictures, images and figures as files."""

from pathlib import Path

import torch
from matplotlib.figure import Figure
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid

from ganexp.pixels import to_uint8
from ganexp.runs.atomic import replacing

SMALLEST_CELL = 48  # pixels; smaller images are enlarged by a whole factor, to be readable
PADDING, GREY = 2, 80  # pixels between the cells, and their level


def image_grid(images: Tensor, columns: int) -> Tensor:
    """Return images (N, C, H, W) in [-1, 1] as one picture, uint8 (3, H', W'), in rows of `columns`."""
    width = images.shape[-1]
    factor = max(1, round(SMALLEST_CELL / width)) if width < SMALLEST_CELL else 1
    pixels = to_uint8(images.cpu()).repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    return make_grid(pixels, nrow=columns, padding=PADDING, pad_value=GREY)


def side_by_side(*pictures: Tensor) -> Tensor:
    """Return pictures (3, H, W) of one height as one, from left to right."""
    return torch.cat(pictures, dim=2)


def to_pil(image: Tensor) -> Image:
    """Return one image (C, H, W) in [-1, 1] as a PIL image, pixel for pixel; grey stays grey."""
    return to_pil_image(to_uint8(image.cpu()))


def save_picture(picture: Tensor, path: Path) -> None:
    """Save a picture, uint8 (3, H, W), as PNG."""
    _save_pil(to_pil_image(picture), path)


def save_image(image: Tensor, path: Path) -> None:
    """Save one image (C, H, W) in [-1, 1] as PNG, pixel for pixel; grey stays grey."""
    _save_pil(to_pil(image), path)


def save_figure(figure: Figure, path: Path) -> None:
    """Save a figure as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary)


def _save_pil(image: Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        image.save(temporary, "png")
