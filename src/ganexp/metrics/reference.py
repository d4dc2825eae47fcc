"""What scores compare with: real images, put through the extractor once and kept by content."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.image import FrechetInceptionDistance

from ganexp.metrics.extractors import save_atomically
from ganexp.metrics.frechet import FrechetDistance, gaussian

FID_SUMS = ("real_features_sum", "real_features_cov_sum", "real_features_num_samples")


@dataclass
class Reference:
    """Real images of one split as an extractor sees them.

    Attributes:
        fingerprint: content hash of the images.
        sums: of torchmetrics' FID, float64.
        features: (≤ kept, d) of an even selection, for scores that compare image with image.
    """

    fingerprint: str
    sums: dict[str, Tensor]
    features: Tensor

    @property
    def count(self) -> int:
        """Images that the sums were taken of."""
        return int(self.sums["real_features_num_samples"])

    @property
    def selected(self) -> Tensor:
        """Which of the images `features` are of: their numbers (≤ kept,)."""
        return selection(self.count, len(self.features))

    @cached_property
    def distance(self) -> FrechetDistance:
        """To these images."""
        return FrechetDistance(*gaussian(*(self.sums[name] for name in FID_SUMS)))


def selection(count: int, kept: int) -> Tensor:
    """At most `kept` of `count` numbers, evenly spread: int64, ascending."""
    return torch.linspace(0, count - 1, min(kept, count)).long()


class _Features(nn.Identity):
    """Stands where FID wants its network: the features come ready."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


def feature_sums(extractor: Any, device: torch.device) -> FrechetInceptionDistance:
    """torchmetrics' FID, fed with features: it sums them up, of real images and of fakes."""
    return FrechetInceptionDistance(_Features(extractor.feature_dim)).to(device)


def reference_file(extractor: Any, fingerprint: str, cache: Path, kept: int = 10_000) -> Path:
    """Where `reference` keeps what it has computed."""
    key = hashlib.sha256(f"{fingerprint} {extractor.name} {extractor.identity} {kept}".encode()).hexdigest()[:32]
    return cache / "references" / f"{key}.pt"


@torch.no_grad()
def reference(
    extractor: Any,
    batches: Iterable[Tensor],
    count: int,
    fingerprint: str,
    cache: Path,
    device: torch.device,
    kept: int = 10_000,
) -> Reference:
    """The reference of `count` real images, uint8 (N, C, H, W) a batch, computed once for this content and extractor.

    `fingerprint` is the images' content hash; a changed set or extractor finds no stale file. Safe for several
    processes: each writes a file of its own and moves it into place.
    """
    path = reference_file(extractor, fingerprint, cache, kept)
    if path.exists():
        saved = torch.load(path, map_location=device, weights_only=True)
        return Reference(fingerprint, saved["sums"], saved["features"])
    fid, features = feature_sums(extractor.to(device), device), []
    chosen = torch.zeros(count, dtype=torch.bool)
    chosen[selection(count, kept)] = True
    seen = 0
    for images in batches:
        found = extractor(images.to(device))[0]
        fid.update(found, real=True)
        features.append(found[chosen[seen : seen + len(images)].to(device)])
        seen += len(images)
    made = {"sums": {name: getattr(fid, name) for name in FID_SUMS}, "features": torch.cat(features)}
    save_atomically(made, path)
    return Reference(fingerprint, made["sums"], made["features"])
