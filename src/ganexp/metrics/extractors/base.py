"""Feature extractors map images to features and, if available, class logits, from which scores are computed."""

import hashlib
from typing import Any

import torch
from torch import Tensor, nn

from ganexp.autocast import without_autocast
from ganexp.tf32 import without_tf32


class Extractor(nn.Module):
    """Base class of feature extractors. A subclass defines `extract` and the attributes below.

    Attributes:
        name: name of the extractor, which is part of the name of every score.
        input: description of how images are prepared, which is part of the protocol of the scores.
        feature_dim: number of features per image.
        num_logits: number of class logits per image; None if the extractor returns no logits.
        identity: hash of the weights and of everything else that determines the features, apart from `name` and
            `input`. The protocol of the scores includes this hash, and the names of the files with cached statistics
            depend on it.
        facts: further information about the scores, which is recorded with the protocol; empty by default.
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
        """Map uint8 images (N, C, H, W) to features (N, d) and, if available, class logits (N, K); both are float32.

        Autocast and TF32 are switched off, because features in 16 bits have an error of about 1 %.
        """
        with without_autocast(images.device), without_tf32():
            features, logits = self.extract(images)
        return features.float(), None if logits is None else logits.float()

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute the features and class logits that `forward` returns. They may have another precision."""
        raise NotImplementedError


def hash_weights(state: dict[str, Tensor]) -> str:
    """Return the SHA-256 of a state dict."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        in_memory = tensor.cpu().contiguous().flatten().view(torch.uint8)  # NumPy lacks some types, such as bfloat16
        digest.update(name.encode() + in_memory.numpy().tobytes())
    return digest.hexdigest()


def repeat_grey(images: Tensor) -> Tensor:
    """Return grey images (N, 1, H, W) as (N, 3, H, W), and images with three channels unchanged."""
    return images.repeat(1, 3, 1, 1) if images.shape[1] == 1 else images
