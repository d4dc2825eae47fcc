"""Compute mean distances between generated images. Small distances are a sign of mode collapse."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from ganexp.metrics.reference import evenly_spaced
from ganexp.metrics.score import Minimum, SampleScore

MAX_PAIRED = 2000  # images whose distances to each other are computed


class Diversity(SampleScore):
    """Mean distance between two of the first 2000 samples, in units of the mean distance between two real images.

    At 1 the samples are as diverse as the real images, at 0 all samples are the same. The value is
    `distance_classifier`. If the extractor knows the classes of the dataset, there are also
    `distance_within_classifier` for two samples of one class and `distance_between_classifier` for two samples of
    different classes, where the class is the prediction of the extractor. Every pair has the same weight, so that
    classes with more samples have more weight.
    """

    higher_is_better = None
    kept_samples: ClassVar[int | None] = MAX_PAIRED

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return two images of each kind, because a distance needs two images."""
        return Minimum(samples=2, images=2)

    def column_names(self) -> list[str]:
        """Return `features`, and also `guesses` if the extractor knows the classes."""
        return ["features", "guesses"] if self.context.knows_labels else ["features"]

    def update(self, features: Tensor, logits: Tensor | None, indices: Tensor) -> None:
        """Add samples with features (N, d), class logits (N, K) and indices (N,)."""
        columns = {"features": features}
        if self.context.knows_labels and logits is not None:
            columns["guesses"] = logits.argmax(1)
        self.keep(indices, **columns)

    def compute(self) -> dict[str, Tensor]:
        """Return the mean distances."""
        real = self.context.first_reference.features
        unit = mean_distances(real[evenly_spaced(len(real), MAX_PAIRED)])["distance"]
        values = {}
        for key, value in mean_distances(*self.sorted_columns()).items():
            values[f"{key}_{self.context.extractor}"] = torch.tensor(value, dtype=torch.float64) / unit
        return values

    def value_names(self) -> list[str]:
        """Return the names of the mean distances."""
        keys = ["distance"]
        if self.context.knows_labels:
            keys += ["distance_within", "distance_between"]
        return [f"{key}_{self.context.extractor}" for key in keys]


@torch.no_grad()
def mean_distances(features: Tensor, classes: Tensor | None = None) -> dict[str, float]:
    """Return the mean Euclidean distance between two rows of features (N, d).

    `distance` is the mean over all pairs. With `classes` (N,) there are also `distance_within`, the mean over pairs
    within a class, and `distance_between`, the mean over pairs of different classes.
    """
    distance = torch.cdist(features, features)  # (N, N)
    is_pair = ~torch.eye(len(features), dtype=torch.bool, device=features.device)
    means = {"distance": distance[is_pair].mean().item()}
    if classes is not None:
        same_class = classes[:, None] == classes
        means["distance_within"] = distance[is_pair & same_class].mean().item()
        means["distance_between"] = distance[~same_class].mean().item()
    return means
