"""Signs of collapse: samples that lie closer together than real images do, and classes that are missing."""

import torch
from torch import Tensor


@torch.no_grad()
def mean_distances(features: Tensor, classes: Tensor | None = None) -> dict[str, float]:
    """Mean Euclidean distance of two samples of features (N, d): of all pairs, as `distance`.

    With `classes` (N,), also of pairs of one class, `distance_within`, and of two, `distance_between`.
    """
    distance = torch.cdist(features, features)  # (N, N)
    pair = ~torch.eye(len(features), dtype=torch.bool, device=features.device)
    found = {"distance": distance[pair].mean().item()}
    if classes is not None:
        same = classes[:, None] == classes
        found["distance_within"] = distance[pair & same].mean().item()
        found["distance_between"] = distance[~same].mean().item()
    return found


def class_shares(classes: Tensor, num_classes: int) -> Tensor:
    """Share of each class among `classes` (N,): (num_classes,), summing to 1."""
    return torch.bincount(classes, minlength=num_classes).double() / len(classes)
