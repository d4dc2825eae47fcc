"""Arrange images in pictures, and save pictures, images and figures as files."""

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from PIL.Image import Image
from torch import Tensor
from torch.nn.functional import pad
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid

from ganexp.pixels import to_uint8
from ganexp.plots.captions import GREY, MARGIN, name_column, with_captions, with_heads
from ganexp.runs.atomic import replacing

SMALLEST_CELL = 48  # pixels; smaller images are enlarged by an integer factor, so that they are easy to see
PADDING = 2  # pixels between the cells


def image_grid(
    images: Tensor,
    columns: int,
    row_names: Sequence[str] = (),
    heads: Sequence[str] = (),
    captions: Sequence[str] = (),
) -> Tensor:
    """Return images (N, C, H, W) in [-1, 1] as one picture, uint8 (3, H', W'), in rows of `columns` images.

    Small images are enlarged by repeating their pixels, without blur.

    Args:
        images: images to show.
        columns: number of images in a row.
        row_names: text to the left of each row; if empty, no text is shown.
        heads: text above each column; if empty, no text is shown.
        captions: text below each image; if empty, no text is shown.
    """
    width = images.shape[-1]
    factor = max(1, round(SMALLEST_CELL / width)) if width < SMALLEST_CELL else 1
    pixels = to_uint8(images.cpu()).repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    if captions:
        pixels = with_captions(pixels, captions)
    picture = make_grid(pixels, nrow=columns, padding=PADDING, pad_value=GREY)
    grid_width = picture.shape[2]
    if row_names:
        picture = side_by_side(name_column(row_names, picture.shape[1]), picture)
    return with_heads(picture, heads, picture.shape[2] - grid_width) if heads else picture


def side_by_side(*pictures: Tensor) -> Tensor:
    """Join pictures (3, H, W) of the same height from left to right."""
    return torch.cat(pictures, dim=2)


def beside(*pictures: Tensor) -> Tensor:
    """Join pictures (3, H, W) of any heights from left to right, with a margin between them, aligned at the top."""
    height = max(picture.shape[1] for picture in pictures)
    margins = [2 * MARGIN] * (len(pictures) - 1) + [0]  # to the right of each picture
    padded = [
        pad(picture, (0, margin, 0, height - picture.shape[1]), value=GREY)
        for picture, margin in zip(pictures, margins, strict=True)
    ]
    return side_by_side(*padded)


def to_pil(image: Tensor) -> Image:
    """Return an image (C, H, W) in [-1, 1] as a PIL image of the same size; grey images stay grey."""
    return to_pil_image(to_uint8(image.cpu()))


def save_picture(picture: Tensor, path: Path) -> None:
    """Save a picture, uint8 (3, H, W), as PNG."""
    _save_pil(to_pil_image(picture), path)


def save_image(image: Tensor, path: Path) -> None:
    """Save an image (C, H, W) in [-1, 1] as a PNG of the same size; grey images stay grey."""
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
