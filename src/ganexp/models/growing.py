"""Networks that grow by stages, and functions to resize images between the size of a stage and full size.

Source: Karras et al. 2018, section 2; the stages are those of chainer-gan-lib.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate


class Growing(nn.Module):
    """A network that grows from images of size base, at stage 0, to images of the full size base·2^k, at stage 2k.

    Stages are real numbers. From stage 2i to 2i + 1, the network is at level i, where images have size base·2^i. From
    stage 2i + 1 to 2i + 2, level i + 1 is faded in: the network mixes levels i and i + 1, and the share of level i + 1
    is the fractional part of the stage. A new network has full size, until `set_stage` sets another stage. The stage is
    part of the network's state dict.

    Source: Karras et al. 2018, section 2. Use it as the base of networks for schedule/growth=progressive.

    Args:
        doublings: number k of doublings from size base to full size.
    """

    def __init__(self, doublings: int) -> None:
        super().__init__()
        self.doublings = doublings
        self.stage = float(self.last_stage)

    @property
    def last_stage(self) -> int:
        """The lowest stage at which the network has full size."""
        return 2 * self.doublings

    def set_stage(self, stage: float) -> None:
        """Set the stage of the network. A stage above `last_stage` has the same effect as `last_stage`."""
        self.stage = min(float(stage), float(self.last_stage))

    def level(self) -> tuple[int, float]:
        """Return the highest level in use and its share in the mixture with the level below (1 if nothing is mixed)."""
        number = int(self.stage)
        share = self.stage - number if number % 2 else 1.0
        return (number + 1) // 2, share

    def scale(self, level: int) -> int:
        """Return the ratio of the height of full-size images to the height of images at `level`."""
        return 2 ** (self.doublings - level)

    def get_extra_state(self) -> float:
        """Return the stage, for the state dict."""
        return self.stage

    def set_extra_state(self, state: float) -> None:
        """Restore the stage from a state dict."""
        self.stage = state


def enlarge(images: Tensor, scale: int) -> Tensor:
    """Return images (N, C, h, w) as (N, C, scale·h, scale·w) by repeating pixels.

    The gradient is divided by `scale`, so that the enlargement does not change the gradient's length, see `shrink`.
    """
    if scale == 1:
        return images
    return _scale_gradient(_repeat_pixels(images, scale), 1 / scale)


def shrink(images: Tensor, scale: int) -> Tensor:
    """Return images (N, C, scale·h, scale·w) as (N, C, h, w) by averaging blocks of pixels.

    Averaging spreads the gradient over more pixels, which shortens the gradient by the factor `scale`. Therefore this
    function multiplies the gradient by `scale`: the gradient with respect to the large images has the same length as
    the gradient with respect to the small images. The target of a gradient penalty thus has the same meaning at every
    stage.
    """
    if scale == 1:
        return images
    return _scale_gradient(avg_pool2d(images, scale), scale)


def blend(images: Tensor, share: float) -> Tensor:
    """Blend images (N, C, H, W) with a copy that is shrunk and enlarged again: share·images + (1 - share)·copy."""
    return torch.lerp(_repeat_pixels(avg_pool2d(images, 2), 2), images, share)


def _repeat_pixels(images: Tensor, scale: int) -> Tensor:
    return interpolate(images, scale_factor=scale, mode="nearest")


def _scale_gradient(x: Tensor, factor: float) -> Tensor:
    """Return x unchanged, but multiply its gradient by `factor` in the backward pass."""
    constant = x.detach()
    return constant + factor * (x - constant)
