"""Affine maps of positions and of colours in images; the maps can be differentiated any number of times.

A map is a batch of matrices, one for each image. Matrices (N, 3, 3) map positions (x, y, 1), in pixels, with the centre
of the image as origin. Matrices (N, 4, 4) map colours (r, g, b, 1). Matrix products are written as sums of elementwise
products, which are computed in float32 even if torch computes matrix products with a lower precision.
"""

import math
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor
from torch.nn.functional import pad


def product(maps: Sequence[Tensor]) -> Tensor:
    """Return the product of several maps, each (N, k, k); the last map is applied first."""
    return reduce(lambda left, right: (left[:, :, :, None] * right[:, None]).sum(2), maps)


# Geometry


def scaling(x: Tensor, y: Tensor) -> Tensor:
    """Return maps (N, 3, 3) that multiply x and y by factors (N,)."""
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], 1))


def shift(x: Tensor, y: Tensor) -> Tensor:
    """Return maps (N, 3, 3) that shift positions by `x` and `y`, each (N,)."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([one, zero, x, zero, one, y, zero, zero, one], 1).unflatten(1, (3, 3))


def rotation(angle: Tensor) -> Tensor:
    """Return maps (N, 3, 3) that rotate by angles (N,), in radians, from the x axis to the y axis."""
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    sine, cosine = angle.sin(), angle.cos()
    return torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, one], 1).unflatten(1, (3, 3))


def resample(images: Tensor, maps: Tensor) -> Tensor:
    """Return images (N, C, H, W) in which the pixel at each position p has the input image's value at map·p.

    Values between pixels are interpolated bilinearly. Beyond its border, the image is continued by reflection.
    """
    height, width = images.shape[2:]
    right = torch.arange(width, device=images.device) - (width - 1) / 2
    down = torch.arange(height, device=images.device)[:, None] - (height - 1) / 2
    x, y = (
        maps[:, row, 0, None, None] * right + maps[:, row, 1, None, None] * down + maps[:, row, 2, None, None]
        for row in range(2)
    )  # each (N, H, W)
    x, y = x + (width - 1) / 2, y + (height - 1) / 2
    left, top = x.floor(), y.floor()
    across, along = (share[:, None].to(images.dtype) for share in (x - left, y - top))  # each (N, 1, H, W)
    columns, rows = left.long(), top.long()
    upper, lower = (
        torch.lerp(_pixels(images, row, columns), _pixels(images, row, columns + 1), across) for row in (rows, rows + 1)
    )
    return torch.lerp(upper, lower, along)


def _pixels(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the pixels (N, C, H, W) at rows and columns (N, H, W), which may be outside of the image."""
    height, width = images.shape[2:]
    places = _reflected(rows, height) * width + _reflected(columns, width)
    index = places.flatten(1)[:, None].expand(-1, images.shape[1], -1)  # (N, H, W) -> (N, C, H·W)
    return images.flatten(2).gather(2, index).unflatten(2, (height, width))


def _reflected(places: Tensor, size: int) -> Tensor:
    """Return indices reflected into the range from 0 to size - 1: -1 becomes 1, and `size` becomes size - 2."""
    places = places.remainder(max(2 * size - 2, 1))
    return size - 1 - (size - 1 - places).abs()


# Colours


def brightness(amount: Tensor) -> Tensor:
    """Return maps (N, 4, 4) that add an amount (N,) to every channel."""
    return torch.eye(4, device=amount.device) + pad(amount[:, None, None].expand(-1, 3, 1), (3, 0, 0, 1))


def contrast(factor: Tensor) -> Tensor:
    """Return maps (N, 4, 4) that multiply every channel by a factor (N,)."""
    return torch.diag_embed(torch.stack([factor, factor, factor, torch.ones_like(factor)], 1))


def inversion(is_inverted: Tensor) -> Tensor:
    """Return maps (N, 4, 4) that change the sign of the brightness of each image whose `is_inverted` (N,) is 1."""
    return torch.eye(4, device=is_inverted.device) - 2 * is_inverted[:, None, None] * _grey(is_inverted.device)


def hue(angle: Tensor) -> Tensor:
    """Return maps (N, 4, 4) that rotate colours around the axis of grey by angles (N,), in radians."""
    grey, one = _grey(angle.device), torch.eye(3, device=angle.device)
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    cross = (one.roll(1, 0) - one.roll(-1, 0)) / math.sqrt(3)  # the cross product with the axis (1, 1, 1)/√3
    rotated = grey[:3, :3] + cosine * (one - grey[:3, :3]) + sine * cross  # Rodrigues' formula
    return pad(rotated - one, (0, 1, 0, 1)) + torch.eye(4, device=angle.device)


def saturation(factor: Tensor) -> Tensor:
    """Return maps (N, 4, 4) that multiply the distance of a colour from grey by a factor (N,)."""
    one, grey = torch.eye(4, device=factor.device), _grey(factor.device)
    return one + (factor[:, None, None] - 1) * (pad(one[:3, :3], (0, 1, 0, 1)) - grey)


def _grey(device: torch.device) -> Tensor:
    """Return the matrix (4, 4) that projects a colour onto the axis of grey."""
    return pad(torch.full((3, 3), 1 / 3, device=device), (0, 1, 0, 1))


def recolour(images: Tensor, maps: Tensor) -> Tensor:
    """Return images (N, C, H, W) with the mapped colours; a grey image gets the mean of the three mapped channels."""
    maps = maps.to(images.dtype)
    if images.shape[1] == 1:
        mean = maps[:, :3].mean(1)  # (N, 4)
        return images * mean[:, :3].sum(1)[:, None, None, None] + mean[:, 3, None, None, None]
    mixed = (maps[:, :3, :3, None, None] * images[:, None]).sum(2)  # (N, 3, 3, H, W) -> (N, 3, H, W)
    return mixed + maps[:, :3, 3, None, None]
