"""Convert images between uint8, [-1, 1] and [0, 1]."""

from typing import Literal

from torch import Tensor

PixelRange = Literal["symmetric", "unit"]  # [-1, 1] or [0, 1], as in data.range


def to_uint8(images: Tensor) -> Tensor:
    """Return images in [-1, 1] as uint8 of the same shape, with rounding; values outside of [-1, 1] are clamped."""
    return images.float().mul(127.5).add_(128).clamp_(0, 255).byte()


def from_uint8(pixels: Tensor, pixel_range: PixelRange = "symmetric") -> Tensor:
    """Return uint8 images as float32 of the same shape: 0 to 255 becomes [-1, 1], or [0, 1] for `unit`."""
    if pixel_range == "unit":
        return pixels.float().div_(255)
    return pixels.float().div_(127.5).sub_(1)


def to_display_range(images: Tensor, pixel_range: PixelRange) -> Tensor:
    """Return generated images of the same shape in [-1, 1], the range in which images are shown and scored.

    If the pixel range is [0, 1] (`unit`), generated values outside of this range are clamped first.
    """
    return images.clamp(0, 1) * 2 - 1 if pixel_range == "unit" else images
