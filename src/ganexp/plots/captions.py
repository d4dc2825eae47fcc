"""Draw text beside, above and below pictures, which are uint8 tensors (3, H, W)."""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from textwrap import wrap

import matplotlib
import PIL.Image
import PIL.ImageDraw
import torch
from PIL import ImageFont
from torch import Tensor
from torch.nn.functional import pad
from torchvision.transforms.functional import pil_to_tensor

GREY = 80  # grey level of the background
FONT_SIZE, SMALL_FONT_SIZE, MARGIN = 12, 10, 6  # pixels
LINE, SMALL_LINE = 16, 13  # pixels, height of a line of text
MAX_NAME = 18  # characters of a name


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def _canvas(width: int, height: int) -> tuple[PIL.Image.Image, PIL.ImageDraw.ImageDraw]:
    canvas = PIL.Image.new("RGB", (width, height), (GREY, GREY, GREY))
    return canvas, PIL.ImageDraw.Draw(canvas)


def shortened(text: str) -> str:
    """Return `text` with at most 18 characters; the end of a longer text becomes an ellipsis."""
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1]}…"


def name_column(names: Sequence[str], height: int) -> Tensor:
    """Return a picture (3, height, W) with a name for each row; all rows have the same height."""
    texts = [shortened(name) for name in names]
    width = math.ceil(max(_font(FONT_SIZE).getlength(text) for text in texts)) + 2 * MARGIN
    column, draw = _canvas(width, height)
    for row, text in enumerate(texts):
        middle = (row + 0.5) * height / len(texts)
        draw.text((width - MARGIN, middle), text, fill="white", font=_font(FONT_SIZE), anchor="rm")
    return pil_to_tensor(column)


def with_heads(picture: Tensor, heads: Sequence[str], left: int = 0) -> Tensor:
    """Return a picture with a text above each of its columns; all columns have the same width.

    Args:
        picture: picture (3, H, W).
        heads: text above each column; above a column with an empty text, the space stays empty.
        left: width of the part of the picture to the left of the first column; this part holds the names of the rows.
    """
    width = picture.shape[2]
    strip, draw = _canvas(width, LINE)
    for column, text in enumerate(heads):
        middle = left + (column + 0.5) * (width - left) / len(heads)
        draw.text((middle, LINE / 2), text, fill="white", font=_font(SMALL_FONT_SIZE), anchor="mm")
    return torch.cat([pil_to_tensor(strip), picture], dim=1)


def with_captions(pixels: Tensor, captions: Sequence[str]) -> Tensor:
    """Return uint8 images (N, C, H, W) as images (N, 3, H', W) with a text below each image."""
    pixels = pixels.expand(-1, 3, -1, -1)
    strips = []
    for text in captions:
        strip, draw = _canvas(pixels.shape[3], SMALL_LINE)
        draw.text((pixels.shape[3] / 2, SMALL_LINE / 2), text, fill="white", font=_font(SMALL_FONT_SIZE), anchor="mm")
        strips.append(pil_to_tensor(strip))
    return torch.cat([pixels, torch.stack(strips)], dim=2)


def titled(picture: Tensor, title: str) -> Tensor:
    """Return a picture with a title above it; unchanged if the title is empty.

    The lines of the title are about as wide as the picture.
    """
    if not title:
        return picture
    font, width = _font(FONT_SIZE), max(picture.shape[2], 100)
    characters = int((width - 2 * MARGIN) * len(title) / font.getlength(title))
    lines = wrap(title, max(characters - 1, 8))
    longest = math.ceil(max(font.getlength(line) for line in lines)) + 2 * MARGIN
    picture = pad(picture, (0, max(longest - picture.shape[2], 0)), value=GREY)
    strip, draw = _canvas(picture.shape[2], LINE * len(lines) + MARGIN)
    for number, line in enumerate(lines):
        draw.text((MARGIN, MARGIN / 2 + LINE * (number + 0.5)), line, fill="white", font=font, anchor="lm")
    return torch.cat([pil_to_tensor(strip), picture], dim=1)
