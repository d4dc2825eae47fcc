"""Squeeze-and-excitation: scale channels by factors that depend on the channels' means (Hu et al. 2018, section 3)."""

from torch import Tensor, nn
from torch.nn.functional import relu

from ganexp.models.layer_factory import LayerFactory

REDUCTION = 16  # number of channels for each hidden feature (Hu et al. 2018, section 6.4)


class SqueezeExcitation(nn.Module):
    """Multiply each channel by a factor between 0 and 1 that is computed from the means of all channels.

    The factors are sigmoid(W₂ relu(W₁ m)), where m contains the mean of each channel over height and width, and W₁
    gives C/16 hidden features (at least one). Unlike self-attention, squeeze-and-excitation is cheap at any resolution,
    and relates channels instead of positions.

    Use it when self-attention is too expensive at a resolution, or together with self-attention.

    Args:
        channels: number of channels C of the feature maps.
        layers: factory for the two linear layers.
    """

    def __init__(self, channels: int, layers: LayerFactory) -> None:
        super().__init__()
        hidden = max(1, channels // REDUCTION)
        self.reduce = layers.linear(channels, hidden)
        self.expand = layers.linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return x (N, C, H, W) with every channel scaled, in the same shape."""
        means = x.mean((2, 3))  # (N, C, H, W) -> (N, C)
        factors = self.expand(relu(self.reduce(means))).sigmoid()
        return x * factors[..., None, None]


def make_squeeze(channels: int, layers: LayerFactory, enabled: bool) -> nn.Module:
    """Return squeeze-and-excitation for `channels` channels, or the identity if `enabled` is false."""
    return SqueezeExcitation(channels, layers) if enabled else nn.Identity()
