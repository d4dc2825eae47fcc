"""Pixel norm, which keeps the features of a generator at the same scale. Source: Karras et al. 2018, section 4.2."""

from torch import Tensor, nn


class PixelNorm(nn.Module):
    """Divide the features of every pixel by their root mean square over the channels: x / √(mean(x²) + 1e-8).

    The layer has no parameters, and its output for an image does not depend on the other images of the batch.

    Source: Karras et al. 2018, section 4.2. Use it in a generator without batch norm when the values of the
    features grow without limit.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return x (N, C) or (N, C, H, W) in the same shape, divided by its root mean square over the channels."""
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()
