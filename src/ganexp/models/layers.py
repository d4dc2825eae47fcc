"""Layers that torch lacks, and the few choices that networks share."""

import torch
from torch import Tensor, nn


class InertBatchNorm(nn.BatchNorm1d):
    """Batch norm frozen at its initial statistics: y = x·weight/√(1 + eps) + bias, in training too.

    What Keras computes when a model in training is called without `training=True`.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.weight / (1 + self.eps) ** 0.5) + self.bias


class Latent:
    """Draws latents z (N, dim): `normal` N(0, 1) or `uniform` U(-1, 1)."""

    def __init__(self, dim: int, distribution: str = "normal") -> None:
        if distribution not in ("normal", "uniform"):
            raise ValueError(f"distribution={distribution}: use normal or uniform")
        self.dim, self.distribution = dim, distribution

    def sample(
        self, count: int, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Tensor:
        """Latents (count, dim) from `generator`, else from the device's global generator."""
        z = torch.empty(count, self.dim, device=device)
        if self.distribution == "normal":
            return z.normal_(generator=generator)
        return z.uniform_(-1, 1, generator=generator)


def squeeze_logit(logits: Tensor) -> Tensor:
    """(N, 1) -> (N,); (N, k) stays."""
    return logits.squeeze(1) if logits.shape[1] == 1 else logits


class ProjectionHead(nn.Module):
    """Linear(h), plus <embedding(label), h> where there are classes. Miyato and Koyama 2018.

    Features (N, features) and labels (N,) or None -> logits (N,) or (N, logits).
    """

    def __init__(self, features: int, num_classes: int = 0, logits: int = 1) -> None:
        super().__init__()
        if num_classes and logits != 1:
            raise ValueError(
                f"a projection head gives one logit, {logits} were asked for: "
                "use model.conditional=false, or a loss of one logit"
            )
        self.linear = nn.Linear(features, logits)
        self.embedding = nn.Embedding(num_classes, features) if num_classes else None

    def forward(self, h: Tensor, labels: Tensor | None = None) -> Tensor:
        logits = squeeze_logit(self.linear(h))
        if self.embedding is None:
            return logits
        return logits + (self.embedding(labels) * h).sum(1)  # (N, features) -> (N,)


class ConditionalNorm(nn.Module):
    """Batch norm whose scale 1 + W·onehot(y) and offset V·onehot(y) follow the label; the plain one without classes.

    W and V start as `init` says: `xavier`, uniform, or `default`, as torch's linear layers do.
    """

    def __init__(self, channels: int, num_classes: int, init: str = "xavier") -> None:
        super().__init__()
        if not num_classes:
            self.norm, self.scale = nn.BatchNorm2d(channels), None
            return
        self.norm = nn.BatchNorm2d(channels, eps=1e-4, affine=False)
        self.scale, self.offset = (nn.Embedding(num_classes, channels) for _ in range(2))
        limit = (6 / (num_classes + channels) if init == "xavier" else 1 / num_classes) ** 0.5
        for embedding in (self.scale, self.offset):
            nn.init.uniform_(embedding.weight, -limit, limit)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.norm(x)
        if self.scale is None:
            return x
        return x * (1 + self.scale(labels)[..., None, None]) + self.offset(labels)[..., None, None]  # (N, C, 1, 1)


class ClassHead(nn.Module):
    """Two linear layers on one trunk: real or fake, and which class. Odena et al. 2017.

    Features (N, features) -> (logits (N,) or (N, logits), class logits (N, num_classes)).
    """

    def __init__(self, features: int, num_classes: int, logits: int = 1) -> None:
        super().__init__()
        if not num_classes:
            raise ValueError("head=classes needs a conditional model: set model.conditional=true")
        self.linear, self.classes = nn.Linear(features, logits), nn.Linear(features, num_classes)

    def forward(self, h: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return squeeze_logit(self.linear(h)), self.classes(h)


# What a discriminator does with labels: a projection, class logits beside its own, or nothing.
HEADS = {
    "projection": ProjectionHead,
    "classes": ClassHead,
    "none": lambda features, num_classes, logits: ProjectionHead(features, 0, logits),
}


def make_head(kind: str, features: int, num_classes: int, logits: int) -> nn.Module:
    """Features (N, features) and labels (N,) or None -> what the discriminator returns."""
    if kind not in HEADS:
        raise ValueError(f"head={kind}: use one of {', '.join(HEADS)}")
    return HEADS[kind](features, num_classes, logits)


def init_normal(module: nn.Module, std: float) -> None:
    """Weights of every convolution, linear layer and embedding from N(0, std²), biases 0. Radford et al. 2016."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)):
            nn.init.normal_(layer.weight, 0.0, std)
            if getattr(layer, "bias", None) is not None:
                nn.init.zeros_(layer.bias)
