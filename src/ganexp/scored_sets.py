"""The real images for a comparison with generated samples, and the classes of these samples."""

from dataclasses import dataclass

from torch import Tensor

from ganexp.data.images import ImageSet
from ganexp.metrics.labels import SampleLabels
from ganexp.metrics.reference import Reference


@dataclass(frozen=True)
class ScoredSets:
    """The reference images, and the labels of the samples to score.

    Attributes:
        references: the real images of each split, with the names of the splits as keys.
        labels: labels of the samples; None if the samples have no labels.
        classes: names of the classes of the dataset.
    """

    references: dict[str, ImageSet]
    labels: SampleLabels | None
    classes: list[str]

    @property
    def first_reference(self) -> ImageSet:
        """The real images of the first split."""
        return next(iter(self.references.values()))

    def expected_share(self) -> list[float]:
        """Return the expected share of each class among the samples; empty if the shares are not known."""
        counts = self.first_reference.class_counts if self.labels is None else self.labels.counts
        return [count / sum(counts) for count in counts]

    def reference_labels(self, reference: Reference) -> Tensor | None:
        """Return the labels of the images whose features the first reference keeps; None if there are no labels."""
        labels = self.first_reference.labels
        return None if labels is None else labels[reference.selected]
