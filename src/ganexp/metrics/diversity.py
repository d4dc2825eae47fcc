"""Compute mean distances between generated images. Small distances are a sign of mode collapse."""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ganexp.metrics.reference import random_indices
from ganexp.metrics.score import Minimum, SampleScore

MAX_PAIRED = 2000  # maximum number of images whose distances to each other are computed
# The features of two equal images differ by rounding errors if the images are in batches of different sizes. A mean
# distance between real images that is at most this share of the mean norm of their features counts as such an error.
SMALLEST_UNIT = 1e-6


class Diversity(SampleScore):
    """The mean distance between two of the first 2000 samples, divided by the mean distance between two real images.

    At a value of 1, the samples are as diverse as the real images; at 0, all samples are the same. For an extractor
    named `classifier`, the value is `distance_classifier`. If the extractor knows the classes of the dataset, there are
    also `distance_within_classifier` for two samples of one class and `distance_between_classifier` for two samples of
    different classes; the extractor predicts the classes. Every pair has the same weight, so that classes with more
    samples have more weight.

    If the samples and the real images have labels, `class_diversity_classifier` is the mean distance between two
    samples that were generated for the same class, divided by the mean distance between two real images of this class,
    and then averaged over the classes. The extractor need not know the classes. At 0, all samples of a class are the
    same image, while `distance_classifier` stays above 0 because the classes differ from each other. The list
    `diversity` in `by_class` has the value of each class. A class has no value, and does not count in the mean, if it
    has fewer than two samples or real images, or if all of its real images are the same.
    """

    higher_is_better = None
    kept_samples: ClassVar[int | None] = MAX_PAIRED

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return the minimum: two samples and two real images, because a distance needs two images."""
        return Minimum(samples=2, images=2)

    def column_names(self) -> list[str]:
        """Return `features`; also `guesses` if the extractor knows the classes, and `labels` if there are labels."""
        names = ["features"]
        if self.context.knows_labels:
            names.append("guesses")
        if self._has_labels:
            names.append("labels")
        return names

    @property
    def _has_labels(self) -> bool:
        """Whether both the samples and the real images have labels."""
        return self.context.num_classes > 0 and self.context.reference_labels is not None

    def update(self, features: Tensor, logits: Tensor | None, labels: Tensor | None, indices: Tensor) -> None:
        """Add samples with features (N, d), class logits (N, K), labels (N,) or None, and indices (N,)."""
        columns = {"features": features}
        if self.context.knows_labels and logits is not None:
            columns["guesses"] = logits.argmax(1)
        if self._has_labels and labels is not None:
            columns["labels"] = labels
        self.keep(indices, **columns)

    def compute(self) -> dict[str, Tensor]:
        """Return the mean distances.

        Raises:
            ZeroDivisionError: all real images have the same features, so that there is no distance to divide by.
        """
        real = self.context.first_reference.features
        chosen = random_indices(len(real), MAX_PAIRED)
        real_distances = pairwise_distances(real[chosen])
        unit = mean_distances(real_distances)["distance"]
        smallest = SMALLEST_UNIT * real.norm(dim=1).mean().item()
        if unit <= smallest:
            raise ZeroDivisionError("all real images have the same features")
        columns = dict(zip(self.column_names(), self.sorted_columns(), strict=True))
        distances = pairwise_distances(columns["features"])
        means = mean_distances(distances, columns.get("guesses"))
        values = {f"{key}_{self.context.extractor}": value / unit for key, value in means.items()}
        if self._has_labels and self.context.reference_labels is not None:
            real_labels = self.context.reference_labels[chosen].to(real_distances.device)
            of_real = class_means(real_distances, real_labels, self.context.num_classes)
            of_samples = class_means(distances, columns["labels"], self.context.num_classes)
            pairs = zip(of_samples, of_real, strict=True)
            shares = [None if a is None or b is None or b <= smallest else a / b for a, b in pairs]
            self.by_class = {"diversity": shares}
            known = [share for share in shares if share is not None]
            values[f"class_diversity_{self.context.extractor}"] = sum(known) / len(known) if known else math.nan
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}

    def value_names(self) -> list[str]:
        """Return the names of the mean distances."""
        keys = ["distance"]
        if self.context.knows_labels:
            keys += ["distance_within", "distance_between"]
        if self._has_labels:
            keys.append("class_diversity")
        return [f"{key}_{self.context.extractor}" for key in keys]


@torch.no_grad()
def pairwise_distances(features: Tensor) -> Tensor:
    """Return the Euclidean distances (N, N) between the rows of features (N, d), float64, with zeros on the diagonal.

    The distances are computed from products of matrices. In float32, the distance between equal features could then
    have an error of a thousandth of their norm; in float64, this error is far below SMALLEST_UNIT.
    """
    shifted = (features - features[:1]).double()  # the distances to features that are equal to the first one are 0
    return torch.cdist(shifted, shifted).fill_diagonal_(0)


def mean_distances(distance: Tensor, classes: Tensor | None = None) -> dict[str, float]:
    """Return mean distances between different images, from the matrix (N, N) of all distances.

    The value `distance` is the mean over all pairs of images. If `classes` (N,) are given, there are also
    `distance_within`, the mean over pairs of the same class, and `distance_between`, the mean over pairs of different
    classes.
    """
    is_pair = ~torch.eye(len(distance), dtype=torch.bool, device=distance.device)
    means = {"distance": distance[is_pair].mean().item()}
    if classes is not None:
        same_class = classes[:, None] == classes
        means["distance_within"] = distance[is_pair & same_class].mean().item()
        means["distance_between"] = distance[~same_class].mean().item()
    return means


def class_means(distance: Tensor, labels: Tensor, num_classes: int) -> list[float | None]:
    """Return the mean distance between two images of each class; None for a class with fewer than two images.

    Args:
        distance: distances (N, N), float64, with zeros on the diagonal.
        labels: the class of each image (N,).
        num_classes: number of classes.
    """
    members = one_hot(labels, num_classes).double()  # (N, K)
    totals = (members * (distance @ members)).sum(0)  # (K,), sum of the distances within each class
    counts = torch.bincount(labels, minlength=num_classes)
    pairs = counts * (counts - 1)
    return [total / count if count else None for total, count in zip(totals.tolist(), pairs.tolist(), strict=True)]
