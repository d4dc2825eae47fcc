"""Mean distances between generated images: small ones are a sign of mode collapse."""

from typing import ClassVar

import torch
from torch import Tensor

from ganexp.metrics.reference import evenly_spaced
from ganexp.metrics.score import SampleScore

MAX_PAIRED = 2000  # images whose distances to each other are computed


class Diversity(SampleScore):
    """Mean distance between two of the first 2000 samples, in units of the mean distance between two real images.

    1 is as diverse as the real images, 0 means that all samples are the same. Values: `distance_classifier`, and if the
    extractor knows the classes of the dataset, `distance_within_classifier` of two samples of one class and
    `distance_between_classifier` of two samples of different classes, where the extractor's guess is the class.
    """

    higher_is_better = None
    kept_samples: ClassVar[int | None] = MAX_PAIRED

    def column_names(self) -> list[str]:
        """Return `features`, and `guesses` if the extractor knows the classes."""
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
            values[f"{key}_{self.context.extractor}"] = torch.tensor(value / unit, dtype=torch.float64)
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

    `distance` is the mean over all pairs. With `classes` (N,) there are also `distance_within`, the mean over pairs of
    one class, and `distance_between`, over pairs of different classes.
    """
    distance = torch.cdist(features, features)  # (N, N)
    is_pair = ~torch.eye(len(features), dtype=torch.bool, device=features.device)
    means = {"distance": distance[is_pair].mean().item()}
    if classes is not None:
        same_class = classes[:, None] == classes
        means["distance_within"] = distance[is_pair & same_class].mean().item()
        means["distance_between"] = distance[~same_class].mean().item()
    return means
