"""Consistency regularisation: D's output should not change if its input is mirrored or shifted a little."""

import torch
from torch import Tensor

from ganexp.losses.penalties import Discriminator, Seen
from ganexp.types import NonNegativeFloat


class Consistency:
    """weight · E[(D(x) - D(T(x)))²] at real images, plus fake_weight · E[(D(G(z)) - D(T(G(z))))²].

    T shifts an image by whole pixels, at most by an eighth of its size in each direction, and the reflection of the
    image fills the pixels that are left empty. If `flip` is true, T also mirrors the image with probability ½. With an
    augmentation, x and G(z) are the augmented images, as in the code of Zhao et al. 2020 (DiffAugment).
    Sources: Zhang et al. 2020 (CR: real images only); Zhao et al. 2021 (bCR: generated images too).

    Use it when the discriminator memorises its training images.

    Args:
        weight: Factor of the penalty on real images; 0 leaves them out.
        fake_weight: Factor of the penalty on generated images; 0 leaves them out.
        flip: Whether T also mirrors images; false for images such as digits, which mean something else when mirrored.

    Example:
        >>> def discriminator(images, labels):
        ...     return images.sum((1, 2, 3))  # mirroring does not change the sum
        >>> images = torch.tensor([1.0, 2.0]).expand(4, 1, 1, 2)
        >>> seen = Seen(images, None, discriminator(images, None))
        >>> Consistency(weight=10.0, fake_weight=10.0, flip=True).of_outputs(discriminator, seen, seen).item()
        0.0
    """

    needs_gradient = False

    def __init__(self, weight: NonNegativeFloat, fake_weight: NonNegativeFloat, flip: bool) -> None:
        self.weight, self.fake_weight, self.flip = weight, fake_weight, flip

    def of_outputs(self, discriminator: Discriminator, real: Seen, fake: Seen) -> Tensor:
        """Return the penalty, a scalar."""
        kinds = ((self.weight, real), (self.fake_weight, fake))
        terms = [weight * self._difference(discriminator, seen) for weight, seen in kinds if weight]
        return torch.stack(terms).sum() if terms else real.output.new_zeros(())

    def _difference(self, discriminator: Discriminator, seen: Seen) -> Tensor:
        """Return the mean squared difference between the outputs on the images and on their changed versions."""
        changed = shift_and_mirror(seen.images, self.flip)
        return (seen.output - discriminator(changed, seen.labels)).square().mean()


def shift_and_mirror(images: Tensor, flip: bool) -> Tensor:
    """Shift images (N, C, H, W) by at most an eighth of their size; if `flip`, mirror each with probability ½."""
    rows, columns = _shifted_places(images, 2), _shifted_places(images, 3)  # (N, H) and (N, W)
    if flip:
        is_mirrored = torch.rand(len(images), 1, device=images.device) < 0.5
        columns = torch.where(is_mirrored, columns.flip(1), columns)
    image = torch.arange(len(images), device=images.device)[:, None, None]
    return images[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W)


def _shifted_places(images: Tensor, dimension: int) -> Tensor:
    """Return, for each image, the positions along a dimension, shifted and reflected at the borders (N, size)."""
    size = images.shape[dimension]
    most = (size + 4) // 8  # size/8, rounded
    places = torch.arange(size, device=images.device)
    shifted = places + torch.randint(-most, most + 1, (len(images), 1), device=images.device)
    return size - 1 - (size - 1 - shifted.abs()).abs()  # -1 becomes 1, and `size` becomes size - 2
