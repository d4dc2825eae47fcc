"""Instance noise: noise on every image that the discriminator sees (Sønderby et al. 2017; Arjovsky and Bottou 2017)."""

import torch
from torch import Tensor, nn

from ganexp.types import NonNegativeFloat, UnitInterval


class InstanceNoise(nn.Module):
    """Add N(0, s²) to every value of an image, with s = std · max(0, 1 - p/end) after the share p of the run.

    The noise makes the distributions of real and generated images overlap. Therefore even a very good discriminator
    still gives the generator a gradient. Use it when the discriminator's loss tends to 0.

    Args:
        std: Standard deviation s at the start of the run, for images in the range [-1, 1].
        end: Share of the run in [0, 1] at which the noise reaches 0; 0 keeps the noise constant.

    Example:
        >>> noise = InstanceNoise(std=0.2, end=0.5)
        >>> noise.set_progress(0.25)
        >>> round(noise.deviation.item(), 3)
        0.1
    """

    deviation: Tensor  # a scalar, saved in checkpoints

    def __init__(self, std: NonNegativeFloat, end: UnitInterval = 1.0) -> None:
        super().__init__()
        self.std, self.end, self.uses_progress = std, end, end > 0
        self.register_buffer("deviation", torch.tensor(float(std)))

    def set_progress(self, progress: float) -> None:
        """Set the standard deviation to its value at `progress`, the completed share of the run."""
        if self.uses_progress:
            self.deviation.fill_(self.std * max(0.0, 1 - progress / self.end))

    def forward(self, images: Tensor) -> Tensor:
        """Return images (N, C, H, W) with noise."""
        return images + self.deviation.to(images.dtype) * torch.randn_like(images)
