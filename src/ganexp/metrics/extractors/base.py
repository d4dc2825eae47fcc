"""Feature extractors map images to what scores are computed from: features, and class logits where there are any."""

import hashlib
from typing import Any

import torch
from torch import Tensor, nn


class Extractor(nn.Module):
    """Base class of feature extractors. A subclass defines `extract` and the attributes.

    Attributes:
        name: part of the name of every score.
        input: how images are prepared; part of the scores' protocol.
        feature_dim: features per image.
        num_logits: class logits per image; None if there are none.
        identity: hash of the weights. Cached statistics are found by it, and it is part of the scores' protocol.
        facts: what else a reader of the scores should know, recorded with the protocol; nothing by default.
        knows_labels: whether class c of the logits is class c of the dataset.
    """

    name: str
    input: str
    feature_dim: int
    num_logits: int | None
    identity: str
    facts: dict[str, Any]
    knows_labels: bool = False

    def __init__(self) -> None:
        super().__init__()
        self.facts = {}

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map images (N, C, H, W), uint8, to features (N, d) and class logits (N, K) or None, float32.

        Autocast is switched off: in 16 bits features are about 1 % off.
        """
        with torch.autocast(images.device.type, enabled=False):
            return self.extract(images)

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute what `forward` returns."""
        raise NotImplementedError


def hash_weights(state: dict[str, Tensor]) -> str:
    """Return the SHA-256 of a state dict."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def repeat_grey(images: Tensor) -> Tensor:
    """Return grey images (N, 1, H, W) as (N, 3, H, W); those of three channels stay as they are."""
    return images.repeat(1, 3, 1, 1) if images.shape[1] == 1 else images
