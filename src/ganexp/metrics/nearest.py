"""Find the real images that are nearest to generated images in the feature space of an extractor."""

from typing import Any

import torch
from torch import Tensor

from ganexp.metrics.reference import Reference
from ganexp.pixels import to_uint8


def nearest_images(samples: Tensor, extractor: Any, reference: Reference, count: int = 9) -> tuple[Tensor, Tensor]:
    """Return the indices (N, ≤ count) of the real images nearest to samples (N, C, H, W) in [-1, 1], and the distances.

    The nearest image comes first. A distance is the Euclidean distance between features. The search covers only the
    real images whose features the reference keeps.
    """
    features = extractor(to_uint8(samples))[0]
    distance = torch.cdist(features, reference.features, compute_mode="donot_use_mm_for_euclid_dist")  # (N, kept)
    nearest = distance.topk(min(count, distance.shape[1]), largest=False)
    return reference.selected[nearest.indices.cpu()], nearest.values.cpu()
