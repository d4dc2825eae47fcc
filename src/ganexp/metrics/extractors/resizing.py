"""Resize images for networks that were trained on photographs, in the same way for all these networks."""

from torch import Tensor
from torch.nn.functional import interpolate

from ganexp.metrics.extractors.base import repeat_grey

RULE = "bilinear with antialiasing, no aligned corners"  # part of the protocol of the scores


def resize(images: Tensor, size: int) -> Tensor:
    """Return uint8 images (N, 1 or 3, H, W) as float32 (N, 3, size, size) from 0 to 255, without rounding.

    The pixels of images that already have this size do not change.
    """
    return interpolate(repeat_grey(images).float(), (size, size), mode="bilinear", antialias=True)
