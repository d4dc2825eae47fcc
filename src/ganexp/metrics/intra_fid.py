"""The intra-class FID (Miyato and Koyama 2018): the FID within a class, averaged over the classes."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganexp.errors import UserError
from ganexp.metrics.frechet import FEWEST_IMAGES, fit_gaussian
from ganexp.metrics.score import Minimum, SampleScore, ScoreContext


class IntraFID(SampleScore):
    """The FID between the samples of a class and the real images of this class, averaged over the classes.

    The real images are those of the first reference. Every class with samples has the same weight. For an
    extractor named `classifier`, the mean is `intra_fid_classifier`; `by_class` has the value of each class under the
    key `fid`. The features of all samples are kept in memory.

    The FID of a class is biased if the class has few images. Every class therefore needs as many images as the FID of
    all samples needs.
    """

    higher_is_better = False
    fewest_images = FEWEST_IMAGES
    plot_scale = "log"
    kept_samples: ClassVar[int | None] = None

    def __init__(self, context: ScoreContext) -> None:
        super().__init__(context)
        if not context.num_classes or context.class_reference is None:
            raise UserError(
                "intra_fid compares the images of each class, but these samples have no labels: "
                "train with model.conditional=true, or leave out the score `intra_fid`"
            )
        self.class_reference = context.class_reference

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return the minimum: two samples and two real images of every class, as a covariance needs two images."""
        return Minimum(samples=2, images=2, of_class=2)

    def value_info(self) -> dict[str, dict[str, Any]]:
        """Return how to interpret the mean; its entry `samples` is the number of samples of the smallest class."""
        samples = self._smallest(self.context.class_samples)
        return {name: facts | {"samples": samples} for name, facts in super().value_info().items()}

    def compared_samples(self) -> dict[str, int]:
        """Return the number of samples of the smallest class."""
        count = self._smallest(self.context.class_samples)
        return {f"{count:,} samples of a class": count}

    def compared_real_images(self) -> dict[str, int]:
        """Return the smallest number of real images of a class that has samples; empty if the numbers are not known."""
        if not self.context.class_images:
            return {}
        count, split = self._smallest(self.context.class_images), next(iter(self.context.references))
        return {f"{count:,} real images of a class ({split})": count}

    def _smallest(self, counts: Sequence[int]) -> int:
        """Return the smallest entry of `counts` (one entry for each class), ignoring classes that have no samples."""
        present = (count for count, samples in zip(counts, self.context.class_samples, strict=True) if samples)
        return min(present, default=self.context.samples)

    def column_names(self) -> list[str]:
        """Return `features` and `labels`."""
        return ["features", "labels"]

    def update(self, features: Tensor, labels: Tensor, indices: Tensor) -> None:
        """Add samples with features (N, d), labels (N,) and indices (N,)."""
        self.keep(indices, features=features, labels=labels)

    def compute(self) -> dict[str, Tensor]:
        """Return the mean FID over the classes that have samples."""
        features, labels = self.sorted_columns()
        distances = {label: self.class_distance(label, features[labels == label]) for label in labels.unique().tolist()}
        self.by_class = {"fid": [distances.get(label) for label in range(self.context.num_classes)]}
        mean = sum(distances.values()) / len(distances)
        return {name: torch.tensor(mean, dtype=torch.float64) for name in self.value_names()}

    def class_distance(self, label: int, features: Tensor) -> float:
        """Return the Fréchet distance of features (N, d) to the real images with this label."""
        reference = self.class_reference(label)
        reference.move_to(features.device)
        return reference.distance(*fit_gaussian(features))

    def value_names(self) -> list[str]:
        """Return the name of the mean."""
        return [f"intra_fid_{self.context.extractor}"]
