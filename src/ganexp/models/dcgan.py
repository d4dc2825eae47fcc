"""Convolutional generator and discriminator for any resolution base·2^k, and the article's pair for MNIST.

Conditional forms: the generator takes the one-hot label beside z, the discriminator a projection head.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, pad

from ganexp.models.layers import ProjectionHead, init_normal, make_head

NORMS = {
    "none": lambda width: nn.Identity(),
    "batch": lambda width: nn.BatchNorm2d(width),
    "layer": lambda width: nn.GroupNorm(1, width),
    "instance": lambda width: nn.InstanceNorm2d(width, affine=True),
}


def pyramid(resolution: int) -> tuple[int, int]:
    """(base, k) with resolution = base·2^k and the smallest base from 3 to 7: 28 -> (7, 2), 32 -> (4, 3), 48 -> (6, 3).

    Raises ValueError, naming the nearest resolution that works, when there is none.
    """
    base, doublings = _halve(resolution)
    if not 3 <= base <= 7:
        nearest = min((r for r in range(4, 1025) if 3 <= _halve(r)[0] <= 7), key=lambda r: abs(r - resolution))
        raise ValueError(
            f"resolution {resolution} is not base·2^k with a base from 3 to 7: try data.resolution={nearest}"
        )
    return base, doublings


def _halve(resolution: int) -> tuple[int, int]:
    base, doublings = resolution, 0
    while base > 7 and base % 2 == 0:
        base, doublings = base // 2, doublings + 1
    return base, doublings


class Generator(nn.Module):
    """z (N, latent_dim), labels (N,) or None -> images (N, channels, resolution, resolution) in [-1, 1].

    Linear to base x base, then k times transposed convolution 4/2, norm, ReLU, then convolution 3/1, tanh.
    `width` is the number of maps at full resolution; it doubles with every halving, to `max_width` at most.

    Args:
        norm: none, batch, layer or instance; `first_norm=False` leaves it out after the linear layer.
        slope: of LeakyReLU; 0 is ReLU.
        label_code: of the true class and the others: `one_hot` 1 and 0, `plus_minus` 1 and -1.
    """

    def __init__(
        self,
        latent_dim: int,
        resolution: int,
        channels: int,
        width: int = 64,
        max_width: int = 512,
        num_classes: int = 0,
        norm: str = "batch",
        first_norm: bool = True,
        slope: float = 0.0,
        label_code: str = "one_hot",
    ) -> None:
        super().__init__()
        if label_code not in ("one_hot", "plus_minus"):
            raise ValueError(f"label_code={label_code}: use one_hot or plus_minus")
        self.num_classes, self.plus_minus = num_classes, label_code == "plus_minus"
        self.base, doublings = pyramid(resolution)
        widths = [min(width * 2**i, max_width) for i in range(doublings, -1, -1)]  # from base to full resolution
        self.project = nn.Linear(latent_dim + num_classes, widths[0] * self.base**2)
        layers = [_norm(norm if first_norm else "none", widths[0]), _relu(slope)]
        for inputs, outputs in pairwise(widths):
            layers += [
                nn.ConvTranspose2d(inputs, outputs, 4, 2, 1),
                _norm(norm, outputs),
                _relu(slope),
            ]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], channels, 3, 1, 1), nn.Tanh())
        init_normal(self, 0.02)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.project(_with_code(z, labels, self.num_classes, self.plus_minus))
        return self.body(x.unflatten(1, (-1, self.base, self.base)))  # (N, W·b·b) -> (N, W, b, b) -> (N, C, H, W)


class Discriminator(nn.Module):
    """images (N, channels, resolution, resolution), labels (N,) or None -> logits (N,) or (N, logits).

    Convolution 3/1, then k times convolution 4/2 and 3/1, each with norm (not the first) and LeakyReLU(0.2), Linear.
    `head` is what it does with labels: projection, none, or classes, which returns class logits (N, num_classes) too.
    """

    def __init__(
        self,
        resolution: int,
        channels: int,
        width: int = 64,
        max_width: int = 512,
        num_classes: int = 0,
        logits: int = 1,
        norm: str = "batch",
        head: str = "projection",
    ) -> None:
        super().__init__()
        base, doublings = pyramid(resolution)
        widths = [min(width * 2**i, max_width) for i in range(doublings + 1)]  # from full resolution to base
        layers = [nn.Conv2d(channels, widths[0], 3, 1, 1), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), _norm(norm, outputs), nn.LeakyReLU(0.2)]
            layers += [nn.Conv2d(outputs, outputs, 3, 1, 1), _norm(norm, outputs), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.head = make_head(head, widths[-1] * base**2, num_classes, logits)
        init_normal(self, 0.02)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        return self.head(self.body(images), labels)  # (N, C, H, W) -> (N, W·b·b) -> (N,)


class MnistGenerator(nn.Module):
    """z (N, latent_dim) -> images (N, channels, resolution, resolution); the article's is 100 -> (1, 28, 28).

    Linear 1024, Linear to 128 x resolution/4 x resolution/4, two transposed convolutions 5/2, tanh.
    `affine=False` with `batch_statistics_only=True` is the article's batch norm, without scale, offset or averages.
    """

    def __init__(
        self,
        latent_dim: int,
        resolution: int,
        channels: int,
        num_classes: int = 0,
        affine: bool = True,
        batch_statistics_only: bool = False,
    ) -> None:
        super().__init__()
        _divisible_by_4(resolution)
        self.num_classes, self.side = num_classes, resolution // 4
        norm = {"eps": 1e-5, "affine": affine, "track_running_stats": not batch_statistics_only}
        features = 128 * self.side**2
        self.dense = nn.Sequential(
            nn.Linear(latent_dim + num_classes, 1024), nn.BatchNorm1d(1024, **norm), nn.ReLU(inplace=True),
            nn.Linear(1024, features), nn.BatchNorm1d(features, **norm), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.up = nn.Sequential(
            SameConvTranspose2d(128, 64), nn.BatchNorm2d(64, **norm), nn.ReLU(inplace=True),
            SameConvTranspose2d(64, channels), nn.Tanh(),
        )  # fmt: skip
        init_normal(self, 0.02)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.dense(_with_code(z, labels, self.num_classes))
        return self.up(x.unflatten(1, (128, self.side, self.side)))  # (N, 128·s·s) -> (N, 128, s, s) -> (N, C, 4s, 4s)


class MnistDiscriminator(nn.Module):
    """images (N, channels, resolution, resolution) -> logits (N,) or (N, logits). The article's, for 28 x 28.

    Two convolutions 5/2 with LeakyReLU, Linear 256, dropout, Linear.
    """

    def __init__(
        self,
        resolution: int,
        channels: int,
        num_classes: int = 0,
        logits: int = 1,
        slope: float = 0.01,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        _divisible_by_4(resolution)
        self.body = nn.Sequential(
            SameConv2d(channels, 64), nn.LeakyReLU(slope), SameConv2d(64, 128), nn.LeakyReLU(slope), nn.Flatten(),
            nn.Linear(128 * (resolution // 4) ** 2, 256), nn.LeakyReLU(slope), nn.Dropout(dropout),
        )  # fmt: skip
        self.head = ProjectionHead(256, num_classes, logits)
        init_normal(self, 0.02)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.head(self.body(images), labels)  # (N, C, H, W) -> (N, 256) -> (N,)


class SameConv2d(nn.Conv2d):
    """5x5, stride 2, padded as TensorFlow's SAME: one pixel before, two after. (N, C, 2s, 2s) -> (N, C', s, s)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(pad(x, (1, 2, 1, 2)))


class SameConvTranspose2d(nn.ConvTranspose2d):
    """5x5, stride 2, the transpose of `SameConv2d`. (N, C, s, s) -> (N, C', 2s, 2s)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., :-1, :-1]  # (2s+1, 2s+1) -> (2s, 2s)


def _norm(name: str, width: int) -> nn.Module:
    if name not in NORMS:
        raise ValueError(f"norm={name}: use one of {', '.join(NORMS)}")
    return NORMS[name](width)


def _relu(slope: float) -> nn.Module:
    return nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)


def _with_code(z: Tensor, labels: Tensor | None, num_classes: int, plus_minus: bool = False) -> Tensor:
    """z with the label's code beside it: (N, d) -> (N, d + num_classes)."""
    if not num_classes:
        return z
    code = one_hot(labels, num_classes).to(z.dtype)
    return torch.cat([z, 2 * code - 1 if plus_minus else code], 1)


def _divisible_by_4(resolution: int) -> None:
    if resolution % 4:
        raise ValueError(f"resolution {resolution} is no multiple of 4: use data.resolution={resolution // 4 * 4 or 4}")
