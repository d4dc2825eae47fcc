"""Arrange images in pictures, and save pictures, images and figures as files."""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import PIL.Image
import PIL.ImageDraw
import torch
from matplotlib.figure import Figure
from PIL import ImageFont
from PIL.Image import Image
from torch import Tensor
from torch.nn.functional import pad
from torchvision.transforms.functional import pil_to_tensor, to_pil_image
from torchvision.utils import make_grid

from ganexp.pixels import to_uint8
from ganexp.runs.atomic import replacing

SMALLEST_CELL = 48  # pixels; smaller images are enlarged by a whole factor, to be readable
FONT_SIZE, MARGIN = 12, 6  # pixels, of the names of rows
MAX_NAME = 18  # characters
PADDING, GREY = 2, 80  # pixels between the cells, and their level


def image_grid(images: Tensor, columns: int, row_names: Sequence[str] = ()) -> Tensor:
    """Return images (N, C, H, W) in [-1, 1] as one picture, uint8 (3, H', W'), in rows of `columns`.

    Args:
        images: images to show.
        columns: number of images in a row.
        row_names: text to the left of each row; if empty, no text is shown.
    """
    width = images.shape[-1]
    factor = max(1, round(SMALLEST_CELL / width)) if width < SMALLEST_CELL else 1
    pixels = to_uint8(images.cpu()).repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    picture = make_grid(pixels, nrow=columns, padding=PADDING, pad_value=GREY)
    return side_by_side(_name_column(row_names, picture.shape[1]), picture) if row_names else picture


def _name_column(names: Sequence[str], height: int) -> Tensor:
    """Return a picture (3, height, W) with a name for each row; all rows have the same height."""
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", FONT_SIZE)
    texts = [name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…" for name in names]
    width = math.ceil(max(font.getlength(text) for text in texts)) + 2 * MARGIN
    column = PIL.Image.new("RGB", (width, height), (GREY, GREY, GREY))
    draw = PIL.ImageDraw.Draw(column)
    for row, text in enumerate(texts):
        middle = (row + 0.5) * height / len(texts)
        draw.text((width - MARGIN, middle), text, fill="white", font=font, anchor="rm")
    return pil_to_tensor(column)


def side_by_side(*pictures: Tensor) -> Tensor:
    """Join pictures (3, H, W) of the same height from left to right."""
    return torch.cat(pictures, dim=2)


def beside(*pictures: Tensor) -> Tensor:
    """Join pictures (3, H, W) of any heights from left to right, with a margin between them, at the same upper edge."""
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
