"""Residual generator and discriminator with spectral norm, conditional batch norm, projection and self-attention.

Of SNGAN (Miyato et al. 2018) and SAGAN (Zhang et al. 2019), at any resolution: the widths in the YAML tell the blocks.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, relu

from ganexp.models.layers import ConditionalNorm, squeeze_logit
from ganexp.models.spectral import spectral_norm as normed

RELU = 2**0.5  # gain of a layer that a ReLU follows or precedes


class Layers:
    """Makes the layers of one network.

    Args:
        spectral_norm: none, persistent or fixed_u.
        init: `xavier`: uniform with variance 2·gain²/(inputs + outputs), biases 0; gain √2 in the residual branches,
            1 elsewhere. `default`: torch's, U(±1/√inputs), but biases 0 under spectral norm.
    """

    def __init__(self, spectral_norm: str, init: str) -> None:
        if init not in ("xavier", "default"):
            raise ValueError(f"init={init}: use xavier or default")
        self.spectral_norm, self.init = spectral_norm, init

    def conv(self, inputs: int, outputs: int, kernel: int, gain: float = 1.0) -> nn.Module:
        return self._start(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), gain)

    def dense(self, inputs: int, outputs: int, bias: bool = True) -> nn.Module:
        return self._start(nn.Linear(inputs, outputs, bias), 1.0)

    def _start(self, layer: nn.Module, gain: float) -> nn.Module:
        if self.init == "xavier":
            nn.init.xavier_uniform_(layer.weight, gain)
        if layer.bias is not None and (self.init == "xavier" or self.spectral_norm != "none"):
            nn.init.zeros_(layer.bias)
        return normed(layer, self.spectral_norm)


class Generator(nn.Module):
    """z (N, latent_dim), labels (N,) or None -> images (N, channels, resolution, resolution) in [-1, 1].

    Args:
        widths: maps at the base and after each block; every block doubles the side, so the base is
            resolution / 2^(len(widths) - 1).
        attention: side of the map after which self-attention stands; None for none.
        spectral_norm: of every layer but the batch norms: none, persistent or fixed_u.
        norm_last: the last layer too.
        init: of the weights; see `Layers`.
    """

    def __init__(
        self,
        latent_dim: int,
        resolution: int,
        channels: int,
        widths: list[int],
        num_classes: int = 0,
        attention: int | None = None,
        spectral_norm: str = "none",
        norm_last: bool = True,
        init: str = "xavier",
    ) -> None:
        super().__init__()
        doublings = len(widths) - 1
        self.base = resolution // 2**doublings
        if self.base < 1 or self.base * 2**doublings != resolution:
            raise ValueError(
                f"{doublings} blocks of widths={list(widths)} double the side {doublings} times, but resolution "
                f"{resolution} is no multiple of {2**doublings}: give fewer widths, or another data.resolution"
            )
        layers = Layers(spectral_norm, init)
        self.project = layers.dense(latent_dim, widths[0] * self.base**2)
        sides = [self.base * 2**i for i in range(1, len(widths))]
        blocks = [UpBlock(i, o, num_classes, layers) for i, o in pairwise(widths)]
        self.blocks = _with_attention(blocks, sides, widths[1:], attention, layers)
        self.norm = ConditionalNorm(widths[-1], num_classes)
        self.out = (layers if norm_last else Layers("none", init)).conv(widths[-1], channels, 3)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.project(z).unflatten(1, (-1, self.base, self.base))  # (N, W·b·b) -> (N, W, b, b)
        for block in self.blocks:
            x = block(x, labels)  # (N, W, s, s) -> (N, W', 2s, 2s)
        return self.out(relu(self.norm(x, labels))).tanh()


class Discriminator(nn.Module):
    """images (N, channels, resolution, resolution), labels (N,) or None -> logits (N,) or (N, logits).

    Args:
        widths: maps after each block; the first `halvings` blocks halve the side.
        attention: side of the map after which self-attention stands; None for none.
        spectral_norm: of every layer: none, persistent or fixed_u.
        norm_last: the last layer too.
        init: of the weights; see `Layers`.
    """

    def __init__(
        self,
        resolution: int,
        channels: int,
        widths: list[int],
        halvings: int,
        num_classes: int = 0,
        logits: int = 1,
        attention: int | None = None,
        spectral_norm: str = "persistent",
        norm_last: bool = True,
        init: str = "xavier",
    ) -> None:
        super().__init__()
        if not 1 <= halvings <= len(widths) or resolution % 2**halvings:
            raise ValueError(f"halvings={halvings} does not suit resolution {resolution} and {len(widths)} widths")
        if num_classes and logits != 1:
            raise ValueError(f"a projection head gives one logit, {logits} were asked for: set model.conditional=false")
        sides = [resolution // 2 ** min(i, halvings) for i in range(1, len(widths) + 1)]
        layers = Layers(spectral_norm, init)
        blocks = [FirstDownBlock(channels, widths[0], layers)]
        for index, (i, o) in enumerate(pairwise(widths), start=1):
            blocks.append(DownBlock(i, o, index < halvings, layers))
        self.blocks = _with_attention(blocks, sides, widths, attention, layers)
        self.out = (layers if norm_last else Layers("none", init)).dense(widths[-1], logits)
        self.embedding = None
        if num_classes:
            self.embedding = layers.dense(num_classes, widths[-1], bias=False)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        x = images
        for block in self.blocks:
            x = block(x)  # (N, W, s, s) -> (N, W', s/2, s/2) or (N, W', s, s)
        h = relu(x).sum((2, 3))  # (N, W, s, s) -> (N, W)
        logits = squeeze_logit(self.out(h))
        if self.embedding is None:
            return logits
        return logits + (self.embedding.weight.T[labels] * h).sum(1)  # (N, W) -> (N,)


class UpBlock(nn.Module):
    """Norm, ReLU, double the side, convolution, norm, ReLU, convolution; plus a 1x1 shortcut.

    (N, inputs, s, s) -> (N, outputs, 2s, 2s).
    """

    def __init__(self, inputs: int, outputs: int, num_classes: int, layers: Layers) -> None:
        super().__init__()
        self.norm1, self.norm2 = ConditionalNorm(inputs, num_classes), ConditionalNorm(outputs, num_classes)
        self.conv1, self.conv2 = layers.conv(inputs, outputs, 3, RELU), layers.conv(outputs, outputs, 3, RELU)
        self.shortcut = layers.conv(inputs, outputs, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        h = self.conv1(interpolate(relu(self.norm1(x, labels)), scale_factor=2))
        h = self.conv2(relu(self.norm2(h, labels)))
        return h + self.shortcut(interpolate(x, scale_factor=2))


class DownBlock(nn.Module):
    """ReLU, convolution, ReLU, convolution, halve the side if `down`; plus a shortcut, 1x1 where the shape changes."""

    def __init__(self, inputs: int, outputs: int, down: bool, layers: Layers) -> None:
        super().__init__()
        self.down = down
        self.conv1, self.conv2 = layers.conv(inputs, outputs, 3, RELU), layers.conv(outputs, outputs, 3, RELU)
        self.shortcut = layers.conv(inputs, outputs, 1) if down or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        h = self.conv2(relu(self.conv1(relu(x)))) + self.shortcut(x)
        return avg_pool2d(h, 2) if self.down else h  # pooling the sum pools both branches


class FirstDownBlock(nn.Module):
    """Convolution, ReLU, convolution, halve the side; plus halve, then 1x1: no ReLU on the raw image."""

    def __init__(self, inputs: int, outputs: int, layers: Layers) -> None:
        super().__init__()
        self.conv1, self.conv2 = layers.conv(inputs, outputs, 3, RELU), layers.conv(outputs, outputs, 3, RELU)
        self.shortcut = layers.conv(inputs, outputs, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return avg_pool2d(self.conv2(relu(self.conv1(x))), 2) + self.shortcut(avg_pool2d(x, 2))


class SelfAttention(nn.Module):
    """x + gamma·attention(x), gamma starting at 0. (N, C, H, W) -> (N, C, H, W). Zhang et al. 2019, section 3.

    Queries at every place; keys and values max-pooled, so that each row of the attention map sums to 1 over H·W/4 keys.
    """

    def __init__(self, channels: int, layers: Layers) -> None:
        super().__init__()
        self.query, self.key = layers.conv(channels, channels // 8, 1), layers.conv(channels, channels // 8, 1)
        self.value, self.out = layers.conv(channels, channels // 2, 1), layers.conv(channels // 2, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        values = max_pool2d(self.value(x), 2).flatten(2)  # (N, C/2, HW/4)
        attended = values @ self.attention(x).transpose(1, 2)  # (N, C/2, HW)
        return x + self.gamma * self.out(attended.unflatten(2, x.shape[2:]))

    def attention(self, x: Tensor) -> Tensor:
        """The weight of each key for each query, (N, HW, HW/4)."""
        queries, keys = self.query(x).flatten(2), max_pool2d(self.key(x), 2).flatten(2)  # (N, C/8, HW), (N, C/8, HW/4)
        return (queries.transpose(1, 2) @ keys).softmax(2)


def _with_attention(blocks: list, sides: list[int], widths: list[int], at: int | None, layers: Layers) -> nn.ModuleList:
    """`blocks`, with self-attention after the first that leaves a map of side `at`."""
    stack = nn.ModuleList()
    for block, side, width in zip(blocks, sides, widths, strict=True):
        stack.append(block)
        if side == at:
            stack.append(SelfAttention(width, layers))
            at = None
    if at is not None:
        raise ValueError(f"attention={at}: no map has that side, use one of {', '.join(map(str, sorted(set(sides))))}")
    return stack
