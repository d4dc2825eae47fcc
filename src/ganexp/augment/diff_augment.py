"""DiffAugment: differentiable augmentations against overfitting on few images (Zhao et al. 2020)."""

from typing import Annotated, Literal

import torch
from annotated_types import MinLen
from torch import Tensor
from torch.nn.functional import pad

Policy = Literal["color", "translation", "cutout"]


class DiffAugment:
    """Change the colours of every image, shift the image, and set a square of it to zero, each at random.

    Use it when there are so few training images that the discriminator memorises them: with this augmentation, it sees
    a new version of each image in every update. Real and generated images are changed in the same way, and gradients
    reach the generator, so that the generator does not learn to draw the changes. Source: Zhao et al. 2020, section 3.

    Args:
        policy: which changes are made. They are made in the order color, translation, cutout.

    Raises:
        ValueError: If a change is listed twice.

    Example:
        >>> images = torch.ones(2, 3, 8, 8)
        >>> cut = DiffAugment(["cutout"])(images)
        >>> cut.shape, cut.unique().tolist()
        (torch.Size([2, 3, 8, 8]), [0.0, 1.0])
    """

    def __init__(self, policy: Annotated[list[Policy], MinLen(1)]) -> None:
        if len(set(policy)) < len(policy):
            raise ValueError(f"policy={policy}: name every change once")
        self.changes = [change for name, change in CHANGES.items() if name in policy]

    def __call__(self, images: Tensor) -> Tensor:
        """Return changed images (N, C, H, W); the random numbers are drawn for each image."""
        for change in self.changes:
            images = change(images)
        return images


def change_colours(images: Tensor) -> Tensor:
    """Change brightness, saturation and contrast of images (N, C, H, W).

    Brightness: a number from U(-0.5, 0.5) is added. Saturation: the difference between a channel and the mean of the
    pixel's channels is multiplied by a number from U(0, 2). Contrast: the difference between a value and the mean of
    the image is multiplied by a number from U(0.5, 1.5).
    """
    images = images + _uniform(images, -0.5, 0.5)
    images = torch.lerp(images.mean(1, keepdim=True), images, _uniform(images, 0, 2))
    return torch.lerp(images.mean((1, 2, 3), keepdim=True), images, _uniform(images, 0.5, 1.5))


def translate(images: Tensor) -> Tensor:
    """Shift images (N, C, H, W) by whole pixels, at most an eighth of their size, and set the empty pixels to zero."""
    height, width = ((size + 4) // 8 for size in images.shape[2:])  # size/8, rounded
    rows = _places(images, 2, height) + height  # (N, H)
    columns = _places(images, 3, width) + width  # (N, W)
    padded = pad(images, (width, width, height, height))  # (N, C, H + 2·height, W + 2·width)
    batch = torch.arange(len(images), device=images.device)[:, None, None]
    shifted = padded[batch, :, rows[:, :, None], columns[:, None, :]]  # (N, H, W, C)
    return shifted.permute(0, 3, 1, 2)


def cut_out(images: Tensor) -> Tensor:
    """Set a square of half the height and width to zero in images (N, C, H, W).

    The centre of the square is drawn from all pixels, so a part of the square may be outside of the image.
    """
    inside = [_is_cut(images, dimension) for dimension in (2, 3)]  # (N, H) and (N, W)
    mask = inside[0][:, None, :, None] & inside[1][:, None, None, :]  # (N, 1, H, W)
    return images.masked_fill(mask, 0.0)


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    """Return a number from U(low, high) for each image, as (N, 1, 1, 1)."""
    return torch.empty((len(images), 1, 1, 1), device=images.device, dtype=images.dtype).uniform_(low, high)


def _places(images: Tensor, dimension: int, limit: int) -> Tensor:
    """Return the indices (N, size) along a dimension, shifted for each image by a random integer up to ±`limit`."""
    shifts = torch.randint(-limit, limit + 1, (len(images), 1), device=images.device)
    return torch.arange(images.shape[dimension], device=images.device) + shifts


def _is_cut(images: Tensor, dimension: int) -> Tensor:
    """Return, for each image, whether the square covers each position along a dimension, as Booleans (N, size)."""
    size = images.shape[dimension]
    side = (size + 1) // 2  # size/2, rounded up
    start = torch.randint(size + 1 - side % 2, (len(images), 1), device=images.device) - side // 2
    places = torch.arange(size, device=images.device)
    return (places >= start) & (places < start + side)


CHANGES = {"color": change_colours, "translation": translate, "cutout": cut_out}
