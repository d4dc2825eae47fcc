"""Self-attention over the positions of a feature map. Source: Zhang et al. 2019, section 3."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from ganexp.models.layer_factory import LayerFactory


class SelfAttention(nn.Module):
    """Add self-attention to a feature map: x + gamma·out(attention), where gamma is learned and starts at 0.

    There is a query for every position. Keys and values are max-pooled to half the height and width, so each query is
    compared with H·W/4 keys. Queries and keys have an eighth of the channels, and values have half of the channels.

    Source: Zhang et al. 2019, section 3. Use it when images show structures that are too large for
    the receptive field of a few convolutions.
    """

    def __init__(self, channels: int, layers: LayerFactory) -> None:
        super().__init__()
        self.query = layers.conv(channels, channels // 8, 1)
        self.key = layers.conv(channels, channels // 8, 1)
        self.value = layers.conv(channels, channels // 2, 1)
        self.out = layers.conv(channels // 2, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return a feature map with the shape of x (N, C, H, W); labels are not used."""
        values = max_pool2d(self.value(x), 2).flatten(2)  # (N, C, H, W) -> (N, C/2, HW/4)
        attended = values @ self.attention_map(x).transpose(1, 2)  # (N, C/2, HW)
        return x + self.gamma * self.out(attended.unflatten(2, x.shape[2:]))

    def attention_map(self, x: Tensor) -> Tensor:
        """Return the weight of each key for each query, (N, HW, HW/4); the weights of a query sum to 1."""
        queries = self.query(x).flatten(2)  # (N, C, H, W) -> (N, C/8, HW)
        keys = max_pool2d(self.key(x), 2).flatten(2)  # (N, C, H, W) -> (N, C/8, HW/4)
        return (queries.transpose(1, 2) @ keys).softmax(2)


def insert_attention(
    blocks: Sequence[nn.Module], sides: list[int], widths: list[int], attention: int | None, layers: LayerFactory
) -> nn.ModuleList:
    """Return `blocks` with self-attention after the first block whose feature map has the height `attention`.

    Args:
        blocks: the blocks of a network, in order.
        sides: height and width of the feature map after each block.
        widths: number of channels of the feature map after each block.
        attention: self-attention follows the feature map of this height and width; None means no self-attention.
        layers: factory for the layers of the self-attention.

    Raises:
        ValueError: `attention` is 1, so that there is only one position; no feature map has the height and width
            `attention`; or this feature map has fewer than 8 channels.
    """
    modules = nn.ModuleList(blocks)
    if attention is None:
        return modules
    allowed = ", ".join(str(side) for side in sorted(set(sides)) if side > 1)
    if attention == 1:
        raise ValueError(f"attention=1: self-attention needs several positions. Use one of {allowed}")
    if attention not in sides:
        raise ValueError(f"attention={attention}: no feature map has this height and width. Use one of {allowed}")
    index = sides.index(attention)
    if widths[index] < 8:
        raise ValueError(
            f"attention={attention}: the feature map of this height has {widths[index]} channels, but self-attention "
            "needs at least 8 channels"
        )
    modules.insert(index + 1, SelfAttention(widths[index], layers))
    return modules
