"""Statistics of the reference images. They are computed once per dataset and extractor, and then cached."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganexp.metrics.cached_file import read_cached
from ganexp.metrics.extractors.base import Extractor
from ganexp.metrics.frechet import FrechetDistance, gaussian
from ganexp.runs import atomic
from ganexp.runs.places import check_writable

FORMAT_VERSION = 5  # version of the format of the cached files
CACHED = ("count", "total", "outer", "features")  # fields of a Reference that a cached file holds
MAX_KEPT_IMAGES = 10_000  # maximum number of images whose features are kept


@dataclass
class Reference:
    """Statistics of the features of real images.

    Attributes:
        fingerprint: hash of the images' pixels and labels.
        count: number of images.
        total: sum of the features x of all images (d,), float64.
        outer: sum of the outer products xxᵀ of the features of all images (d, d), float64.
        features: features (n, d) of n random images, for scores that compare individual images.
    """

    fingerprint: str
    count: int
    total: Tensor
    outer: Tensor
    features: Tensor

    @property
    def selected(self) -> Tensor:
        """The indices (n,) of the images whose features are in `features`, in ascending order."""
        return random_indices(self.count, len(self.features)).sort().values

    @cached_property
    def distance(self) -> FrechetDistance:
        """A function that takes a mean (d,) and a covariance (d, d), and returns their distance to the real images."""
        return FrechetDistance(*gaussian(self.total, self.outer, self.count))

    def move_to(self, device: torch.device) -> None:
        """Move the statistics to `device`."""
        before = self.total.device
        self.total, self.outer = self.total.to(device), self.outer.to(device)
        self.features = self.features.to(device)
        if self.total.device != before:
            self.__dict__.pop("distance", None)  # the cached function holds tensors on the old device


def random_indices(count: int, kept: int, seed: int = 0) -> Tensor:
    """Return min(kept, count) different random indices below `count`, in random order; int64 (n,).

    The same arguments always give the same indices. The indices are random because the order of the images may have a
    pattern. For example, the files of a folder are sorted by class, so that the first images may be of one class.
    """
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:kept]


def reference_file(extractor: Extractor, fingerprint: str, cache: Path, kept: int = MAX_KEPT_IMAGES) -> Path:
    """Return the file in which `load_reference` caches the statistics of a set of images.

    The name of the file depends on everything that determines the statistics: the images, the extractor's weights and
    image preparation, the number of images whose features are kept, and the version of torch.
    """
    settings = [FORMAT_VERSION, fingerprint, extractor.name, extractor.identity, extractor.input, kept]
    key = json.dumps([*settings, torch.__version__])
    return cache / "references" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.pt"


@torch.no_grad()
def load_reference(
    extractor: Extractor,
    batches: Iterable[Tensor],
    count: int,
    fingerprint: str,
    cache: Path,
    device: torch.device,
    kept: int = MAX_KEPT_IMAGES,
) -> Reference:
    """Return the statistics of real images from the cache, or compute and cache them.

    Several processes may call this function at the same time.

    Args:
        extractor: the feature extractor.
        batches: the images, uint8 (N, C, H, W). They are read only if the statistics are not cached.
        count: number of images in all batches.
        fingerprint: hash of the images' pixels and labels; the name of the cache file depends on this hash.
        cache: directory of cached files.
        device: device on which features are computed and statistics are returned.
        kept: maximum number of images whose features are kept.

    Raises:
        OSError: the statistics are not cached, and the cache cannot be written.
        ValueError: the batches do not hold `count` images.
    """
    path = reference_file(extractor, fingerprint, cache, kept)
    if (cached := read_cached(path, CACHED, device)) is not None:
        return Reference(fingerprint, **cached)
    check_writable(path.parent)
    statistics = _compute_statistics(extractor.to(device), batches, count, device, kept)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as temporary:
        torch.save(statistics, temporary)
    return Reference(fingerprint, **statistics)


def _compute_statistics(
    extractor: Extractor, batches: Iterable[Tensor], count: int, device: torch.device, kept: int
) -> dict[str, Any]:
    """Return all fields of a Reference except the fingerprint."""
    dim = extractor.feature_dim
    total = torch.zeros(dim, dtype=torch.float64, device=device)
    outer = torch.zeros(dim, dim, dtype=torch.float64, device=device)
    is_kept = torch.zeros(count, dtype=torch.bool)
    is_kept[random_indices(count, kept)] = True
    kept_features, seen = [], 0
    for images in batches:
        features = extractor(images.to(device))[0]
        x = features.double()
        total += x.sum(0)
        outer += x.T @ x
        kept_features.append(features[is_kept[seen : seen + len(images)].to(device)])
        seen += len(images)
    if seen != count:
        raise ValueError(f"count={count}, but the batches hold {seen} images")
    return {"count": count, "total": total, "outer": outer, "features": torch.cat(kept_features)}
