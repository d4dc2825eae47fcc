"""Adaptive discriminator augmentation, for training on few images (ADA, Karras et al. 2020)."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganexp.augment import warp
from ganexp.types import ImageCount, PositiveInt, UnitInterval

INTERVAL = 4  # updates of D between two changes of the probability


class Ada(nn.Module):
    """Change geometry and colours of every image; each kind of change is made with the probability p, which adapts.

    The changes are mirroring, rotation, shifts, scaling and stretching, then brightness, contrast, inversion of the
    brightness, hue and saturation (the pipeline `bgc` of the paper). p starts at `probability`. If `target` is a
    number, p rises while 2·a - 1 is above the target, and falls otherwise; a is the share of real images that D
    classifies as real, as a mean over 4 updates of D. The rise from 0 to 1 takes `images` real images.

    Use it when there are so few training images that D memorises them. Source: Karras et al. 2020, section 3 and
    appendix B. Unlike in the paper, images are resampled by bilinear interpolation, without a filter against aliasing.

    Args:
        target: Target of 2·a - 1 (0.6 in the paper); None keeps p constant.
        probability: p at the start of the run.
        images: Number of real images that D sees while p rises from 0 to 1.
        batch_size: Number of real images in an update.

    Example:
        >>> ada = Ada(target=0.6, probability=0.0, images=400, batch_size=10)
        >>> for _ in range(5):
        ...     ada.observe({"real": torch.tensor(1.0)})  # D classifies all real images correctly
        >>> round(ada.values()["augment_probability"].item(), 3)  # 4·10/400
        0.1
    """

    probability: Tensor
    total: Tensor
    updates: Tensor

    def __init__(
        self, target: UnitInterval | None, probability: UnitInterval, images: ImageCount, batch_size: PositiveInt
    ) -> None:
        super().__init__()
        self.target, self.change = target, INTERVAL * batch_size / images
        self.needs_feedback = target is not None
        self.register_buffer("probability", torch.tensor(float(probability)))
        self.register_buffer("total", torch.zeros(()))  # sum of a over the updates since the last change of p
        self.register_buffer("updates", torch.zeros(()))  # number of these updates

    def observe(self, accuracies: Mapping[str, Tensor]) -> None:
        """Add D's accuracy on real images to the sum of a; if the sum already has 4 updates, first change p.

        p changes at the fifth call, not at the fourth: several devices average their sums of a after each update.
        """
        if self.target is None:
            return
        is_due = self.updates >= INTERVAL
        direction = torch.sign(2 * self.total / INTERVAL - 1 - self.target)
        self.probability = (self.probability + is_due * direction * self.change).clamp(0, 1)
        self.total = self.total * ~is_due + accuracies["real"]
        self.updates = self.updates * ~is_due + 1

    def values(self) -> dict[str, Tensor]:
        """Return the probability p under the name that is logged."""
        return {"augment_probability": self.probability}

    def forward(self, images: Tensor) -> Tensor:
        """Return changed images (N, C, H, W); the random numbers are drawn for each image."""
        count, channels, height, width = images.shape
        images = warp.resample(images, random_geometry(count, height, width, self.probability))
        return warp.recolour(images, random_colours(count, channels, self.probability))


class Draw:
    """Draw random numbers for `count` images, and replace each number by a neutral value with the probability 1 - p.

    Several numbers for one change of an image are replaced together or not at all.
    """

    def __init__(self, count: int, probability: Tensor) -> None:
        self.count, self.probability, self.device = count, probability, probability.device

    def _kept(self, numbers: Tensor, probability: Tensor) -> Tensor:
        return torch.where(torch.rand(self.count, device=self.device) < probability, numbers, 0.0)

    def uniform(self, limit: float, probability: Tensor | None = None, numbers: tuple[int, ...] = ()) -> Tensor:
        """Return numbers (*numbers, N), drawn from U(-limit, limit) with the given probability, and 0 otherwise.

        Args:
            limit: the largest absolute value.
            probability: the probability with which the numbers of an image are kept; None stands for p.
            numbers: () for one number, or (K,) for K numbers for each image.
        """
        drawn = (2 * torch.rand(*numbers, self.count, device=self.device) - 1) * limit
        return self._kept(drawn, self.probability if probability is None else probability)

    def normal(self, std: float, numbers: tuple[int, ...] = ()) -> Tensor:
        """Return numbers (*numbers, N), drawn from N(0, std²) with the probability p, and 0 otherwise."""
        return self._kept(std * torch.randn(*numbers, self.count, device=self.device), self.probability)

    def factor(self, std: float) -> Tensor:
        """Return factors 2^x (N,): each x is drawn from N(0, std²) with the probability p, and is 0 otherwise."""
        return torch.exp2(self.normal(std))

    def integer(self, count: int) -> Tensor:
        """Return integers (N,), as floats: from 0 to count - 1 with the probability p, and 0 otherwise."""
        return self._kept(torch.randint(count, (self.count,), device=self.device).float(), self.probability)


def random_geometry(count: int, height: int, width: int, probability: Tensor) -> Tensor:
    """Return random matrices (N, 3, 3), one for each image, that map positions in the result to positions in the image.

    Positions are (x, y, 1) in pixels, with the centre of the image as origin. Each of the two rotations by an arbitrary
    angle is made with the probability 1 - √(1 - p). The probability that at least one of the two is made is thus p.
    """
    draw = Draw(count, probability)
    rotated = 1 - (1 - probability).sqrt()
    scale, stretch = draw.factor(0.2), draw.factor(0.2)
    whole_x, whole_y = draw.uniform(0.125, numbers=(2,))
    x, y = draw.normal(0.125, numbers=(2,))
    steps = [
        warp.scaling(1 - 2 * draw.integer(2), torch.ones(count, device=probability.device)),  # mirror
        warp.rotation(math.pi / 2 * draw.integer(4)),
        warp.shift((whole_x * width).round(), (whole_y * height).round()),
        warp.scaling(scale, scale),
        warp.rotation(draw.uniform(math.pi, rotated)),
        warp.scaling(stretch, 1 / stretch),
        warp.rotation(draw.uniform(math.pi, rotated)),
        warp.shift(x * width, y * height),
    ]
    return warp.product(steps)


def random_colours(count: int, channels: int, probability: Tensor) -> Tensor:
    """Return random matrices (N, 4, 4), one for each image, that map colours (r, g, b, 1).

    Hue and saturation are changed only if there are three channels.
    """
    draw = Draw(count, probability)
    brightness = warp.brightness(draw.normal(0.2))
    contrast = warp.contrast(draw.factor(0.5))
    inversion = warp.inversion(draw.integer(2))
    steps = [inversion, contrast, brightness]  # the last one is applied first
    if channels == 3:
        steps = [warp.saturation(draw.factor(1.0)), warp.hue(draw.uniform(math.pi)), *steps]
    return warp.product(steps)
