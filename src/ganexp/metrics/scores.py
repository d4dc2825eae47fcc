"""Inception Score and FID from one feature pass.

torchmetrics computes both; it is handed features instead of images, so that they go through the extractor once.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.image import FrechetInceptionDistance, InceptionScore

from ganexp.metrics.extractors import save_atomically

Extractor = Callable[[Tensor], tuple[Tensor, Tensor]]


def to_uint8(images: Tensor) -> Tensor:
    """[-1, 1] -> 0 … 255, rounded to the nearest; same shape."""
    return images.float().mul(127.5).add_(128).clamp_(0, 255).to(torch.uint8)


class _Features(nn.Identity):
    """Stands where FID wants its network: the features come ready."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


class Scores:
    """IS and FID of generated images against one reference.

    Args:
        extractor: images uint8 (N, C, H, W) -> (features (N, d), logits (N, classes)).
        reference: FID's sums over real images, from `reference_statistics`.
        splits: of the Inception Score.
    """

    def __init__(self, extractor: Any, reference: dict[str, Tensor], splits: int, device: torch.device) -> None:
        self.extractor, self.device, self.splits = extractor.to(device), device, splits
        self.fid = _fid(extractor, device)
        for name, value in reference.items():
            getattr(self.fid, name).copy_(value)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Metric `InceptionScore` will save")  # 40 MB of logits
            self.inception = InceptionScore(nn.Identity(), splits=splits).to(device)

    @torch.no_grad()
    def __call__(self, batches: Iterable[Tensor], labels: Tensor | None = None) -> dict[str, float]:
        """Scores of images in [-1, 1], (N, C, H, W) a batch: `is_NAME`, `is_NAME_std` over splits, `fid_NAME`.

        With the `labels` (N,) that all the images were drawn for, and an extractor that knows them, `accuracy_NAME`
        too: the share of images that it puts in their class.
        """
        self.fid.reset()
        self.inception.reset()
        guesses = []
        for images in batches:
            features, logits = self.extractor(to_uint8(images.to(self.device)))
            self.fid.update(features, real=False)
            self.inception.update(logits)
            guesses.append(logits.argmax(1))
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(0)  # torchmetrics shuffles with the global generator
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "std\\(\\): degrees of freedom")  # of one split
                score, spread = self.inception.compute()
        name = self.extractor.name
        values = {f"is_{name}": score.item()}
        if self.splits > 1:
            values[f"is_{name}_std"] = spread.item()
        values[f"fid_{name}"] = self.fid.compute().item()
        if labels is not None and getattr(self.extractor, "knows_labels", False):
            values[f"accuracy_{name}"] = (torch.cat(guesses).cpu() == labels).float().mean().item()
        return values


def _fid(extractor: Any, device: torch.device) -> FrechetInceptionDistance:
    return FrechetInceptionDistance(_Features(extractor.feature_dim), reset_real_features=False).to(device)


@torch.no_grad()
def reference_statistics(
    extractor: Any, batches: Iterator[Tensor], fingerprint: str, cache: Path, device: torch.device
) -> dict[str, Tensor]:
    """FID's sums over real images uint8 (N, C, H, W) a batch, computed once for this content and this extractor.

    `fingerprint` is the images' content hash; a changed set or extractor finds no stale statistics.
    """
    key = hashlib.sha256(f"{fingerprint} {extractor.name} {extractor.identity}".encode()).hexdigest()[:32]
    path = cache / "statistics" / f"{key}.pt"
    if path.exists():
        return torch.load(path, map_location=device, weights_only=True)
    fid = _fid(extractor.to(device), device)
    for images in batches:
        fid.update(extractor(images.to(device))[0], real=True)
    names = ("real_features_sum", "real_features_cov_sum", "real_features_num_samples")
    statistics = {name: getattr(fid, name) for name in names}
    save_atomically(statistics, path)
    return statistics
