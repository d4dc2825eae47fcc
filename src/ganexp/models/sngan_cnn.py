"""SNGAN's convolutional pair: a DCGAN-like generator, a discriminator under spectral norm. Miyato et al. 2018, table 3.

For any resolution that is a multiple of 8. Conditional forms: conditional batch norm; a projection of the last map.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import relu

from ganexp.models.layers import ConditionalNorm, squeeze_logit
from ganexp.models.spectral import spectral_norm as normed


class Generator(nn.Module):
    """z (N, latent_dim), labels (N,) or None -> images (N, channels, resolution, resolution) in [-1, 1].

    Linear, then three times transposed convolution 4/2, batch norm, ReLU, then convolution 3/1, tanh. `width` is the
    number of maps at full resolution.
    """

    def __init__(self, latent_dim: int, resolution: int, channels: int, num_classes: int = 0, width: int = 64) -> None:
        super().__init__()
        self.base = _eighth(resolution)
        widths = [8 * width, 4 * width, 2 * width, width]
        self.project = nn.Linear(latent_dim, widths[0] * self.base**2)
        self.ups = nn.ModuleList(nn.ConvTranspose2d(i, o, 4, 2, 1) for i, o in pairwise(widths))
        self.norms = nn.ModuleList(ConditionalNorm(o, num_classes, "default") for o in widths[1:])
        self.out = nn.Conv2d(width, channels, 3, 1, 1)
        for layer in (*self.ups, self.out):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.project(z).unflatten(1, (-1, self.base, self.base))  # (N, 8W·b·b) -> (N, 8W, b, b)
        for up, norm in zip(self.ups, self.norms, strict=True):
            x = relu(norm(up(x), labels))  # (N, W', s, s) -> (N, W'/2, 2s, 2s)
        return self.out(x).tanh()


class Discriminator(nn.Module):
    """images (N, channels, resolution, resolution), labels (N,) or None -> logits (N,) or (N, logits).

    Three pairs of convolutions 3/1 and 4/2, one more 3/1, each followed by LeakyReLU(0.1), Linear.

    Args:
        spectral_norm: of every layer: none, persistent or fixed_u.
        norm_last: the last layer, the linear one, too.
    """

    def __init__(
        self,
        resolution: int,
        channels: int,
        num_classes: int = 0,
        logits: int = 1,
        width: int = 64,
        spectral_norm: str = "persistent",
        norm_last: bool = True,
    ) -> None:
        super().__init__()
        if num_classes and logits != 1:
            raise ValueError(f"a projection head gives one logit, {logits} were asked for: set model.conditional=false")
        layers, inputs = [], channels
        for first, second in ((width, width), (2 * width, 2 * width), (4 * width, 4 * width)):
            layers += [nn.Conv2d(inputs, first, 3, 1, 1), nn.Conv2d(first, second, 4, 2, 1)]
            inputs = second
        layers.append(nn.Conv2d(inputs, 8 * width, 3, 1, 1))
        self.body = nn.Sequential()
        for layer in layers:
            nn.init.zeros_(layer.bias)
            self.body.extend([normed(layer, spectral_norm), nn.LeakyReLU(0.1, inplace=True)])
        features = 8 * width * _eighth(resolution) ** 2
        self.out = nn.Linear(features, logits)
        if norm_last:
            nn.init.zeros_(self.out.bias)
            self.out = normed(self.out, spectral_norm)
        self.embedding = None
        if num_classes:
            self.embedding = normed(nn.Linear(num_classes, features, bias=False), spectral_norm)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        h = self.body(images).flatten(1)  # (N, C, H, W) -> (N, 8W, b, b) -> (N, 8W·b·b)
        logits = squeeze_logit(self.out(h))
        if self.embedding is None:
            return logits
        return logits + (self.embedding.weight.T[labels] * h).sum(1)  # (N, 8W·b·b) -> (N,)


def _eighth(resolution: int) -> int:
    if resolution % 8:
        raise ValueError(f"resolution {resolution} is no multiple of 8: use data.resolution={resolution // 8 * 8 or 8}")
    return resolution // 8
