"""Intra-class FID (Miyato and Koyama 2018): the mean over the classes of the FID within a class."""

from typing import ClassVar

import torch
from torch import Tensor

from ganexp.errors import UserError
from ganexp.metrics.frechet import fit_gaussian
from ganexp.metrics.score import SampleScore, ScoreContext


class IntraFID(SampleScore):
    """The FID between the samples of a class and the real images of that class, as mean over the classes.

    Real images are those of the first reference's split. Values: `intra_fid_classifier`, and by class `fid`. Keeps the
    features of all samples.
    """

    higher_is_better = False
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

    def column_names(self) -> list[str]:
        """Return `features` and `labels`."""
        return ["features", "labels"]

    def update(self, features: Tensor, labels: Tensor, indices: Tensor) -> None:
        """Add samples with features (N, d), labels (N,) and indices (N,)."""
        self.keep(indices, features=features, labels=labels)

    def compute(self) -> dict[str, Tensor]:
        """Return the mean over those classes that the samples have."""
        features, labels = self.sorted_columns()
        distances = [self.class_distance(label, features[labels == label]) for label in labels.unique().tolist()]
        self.by_class = {"fid": distances}
        mean = sum(distances) / len(distances)
        return {name: torch.tensor(mean, dtype=torch.float64) for name in self.value_names()}

    def class_distance(self, label: int, features: Tensor) -> float:
        """Return the Fréchet distance of features (N, d) to the real images with this label."""
        reference = self.class_reference(label)
        reference.move_to(features.device)
        return reference.distance(*fit_gaussian(features))

    def value_names(self) -> list[str]:
        """Return the name of the mean."""
        return [f"intra_fid_{self.context.extractor}"]
