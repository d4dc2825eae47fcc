"""Base classes of all scores, and the context from which a score is constructed.

To add a score, write a subclass of `Score` (or of `SampleScore`, if it needs the features of individual samples) in a
new file, and a YAML file in conf/metrics/score that names it. Its `update` takes the arguments that it needs from
`features`, `logits`, `images`, `labels` and `indices`, see `ganexp.metrics.collection.Scores`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from ganexp.metrics.reference import Reference

MAX_KEPT_SAMPLES = 10_000  # samples whose features are kept for scores that compare images with each other


@dataclass(frozen=True)
class Minimum:
    """The minimum numbers of images for a score.

    Attributes:
        samples: number of generated images.
        images: number of real images of each reference.
        of_class: number of generated images of each class, and of real images of each class in the first reference.
            Classes without any images are ignored. 0 if the score does not compare the images within a class.
    """

    samples: int = 1
    images: int = 1
    of_class: int = 0


@dataclass
class ScoreContext:
    """Description of the samples, the feature extractor and the real images.

    Attributes:
        extractor: name of the feature extractor; it is part of the name of every value.
        feature_dim: number of features per image.
        num_logits: number of class logits per image, or None if the extractor returns no logits.
        knows_labels: whether the extractor's classes are the classes of the dataset.
        references: statistics of real images by split. Values that compare with the first split have no split in
            their names.
        samples: number of generated images to score.
        device: device on which features are computed.
        num_classes: number of classes of the samples; 0 if they have no labels.
        class_reference: function that returns the statistics of one class of the first reference; None without labels.
        reference_labels: classes (≤ kept,) of the images whose features the first reference keeps; None without labels.
        real_images: function that returns images of a split by their indices (N,), uint8 (N, C, H, W).
    """

    extractor: str
    feature_dim: int
    num_logits: int | None
    knows_labels: bool
    references: dict[str, Reference]
    samples: int
    device: torch.device
    num_classes: int = 0
    class_reference: Callable[[int], Reference] | None = None
    reference_labels: Tensor | None = None
    real_images: Callable[[str, Tensor], Tensor] | None = None

    @property
    def first_reference(self) -> Reference:
        """The statistics of the real images of the first split."""
        return next(iter(self.references.values()))

    def named_references(self) -> list[tuple[str, Reference]]:
        """Return each reference with the suffix of its value names: `classifier`, then `classifier_test`."""
        splits = list(self.references)
        endings = [self.extractor] + [f"{self.extractor}_{split}" for split in splits[1:]]
        return list(zip(endings, self.references.values(), strict=True))


class Score(Metric):
    """A score of generated images: a torchmetrics metric that returns one or several named scalars.

    Every score is summed or concatenated over processes, and does not depend on the order of the updates.

    Attributes:
        higher_is_better: direction of the values; None if neither direction is better.
        plot_scale: scale of the axis on which the values are plotted.
        kept_samples: number of samples, the first ones by index, that are kept in memory; None keeps all.
        fewest_images: number of images below which the values have a bias that differs between generators, like those
            of the FID; None if the values have no such bias.
        spread: what the deviations or interval ends of `spread_names` are, such as "standard deviation over 10 splits".
        by_class: lists with a value for each class, available after `compute`: `share`, `accuracy`, `fid`,
            `diversity`. A class without a value has None.

    Args:
        context: description of the samples, the extractor and the references.

    Raises:
        UserError: the score cannot be computed from what the extractor returns, or without labels.
    """

    full_state_update = False
    higher_is_better: bool | None = None
    plot_scale: Literal["linear", "log"] = "linear"
    kept_samples: ClassVar[int | None] = 0
    fewest_images: ClassVar[int | None] = None
    spread = ""

    def __init__(self, context: ScoreContext) -> None:
        super().__init__()
        self.context = context
        self.by_class: dict[str, list[float | None]] = {}

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return the minimum numbers of images for the score.

        A run with fewer images is refused before anything is computed.

        Args:
            settings: the score's own arguments, as far as the config sets them.
        """
        return Minimum()

    def value_names(self) -> list[str]:
        """Return the names of the values that `compute` returns, without deviations and interval ends."""
        raise NotImplementedError

    def spread_names(self) -> dict[str, str]:
        """Return the names of deviations and interval ends, each with the name of the value that it belongs to."""
        return {}

    def value_info(self) -> dict[str, dict[str, Any]]:
        """Return how to interpret each value, by its name.

        The info of a value is its direction and scale, `{"higher_is_better": False, "plot_scale": "log"}`, and
        `fewest_images` if there is such a number. The info of a deviation or an interval end is the value that it
        belongs to, and what it is: `{"spread_of": "is_classifier", "spread": "standard deviation over 10 splits"}`.
        """
        info: dict[str, Any] = {"higher_is_better": self.higher_is_better, "plot_scale": self.plot_scale}
        info |= {} if self.fewest_images is None else {"fewest_images": self.fewest_images}
        values = {name: dict(info) for name in self.value_names()}
        return values | {
            name: {"spread_of": value, "spread": self.spread} for name, value in self.spread_names().items()
        }

    def protocol(self) -> dict[str, Any]:
        """Return the settings without which the values cannot be compared; empty if they are the default ones."""
        return {}

    def reset(self) -> None:
        """Remove all samples. This must be called before the first update of every validation, see `Scores.reset`."""
        super().reset()
        self.by_class = {}


class SampleScore(Score):
    """Base class of scores that keep the features of individual samples: the first `kept_samples` samples by index."""

    kept_samples: ClassVar[int | None] = MAX_KEPT_SAMPLES
    indices: list[Tensor]

    def __init__(self, context: ScoreContext) -> None:
        super().__init__(context)
        for name in ("indices", *self.column_names()):
            self.add_state(name, [], dist_reduce_fx="cat")

    def column_names(self) -> list[str]:
        """Return the names of the tensors (N, ...) to keep."""
        return ["features"]

    def keep(self, indices: Tensor, **columns: Tensor) -> None:
        """Keep the rows of each column (N, ...) that belong to the first `kept_samples` samples by index (N,)."""
        if self.kept_samples is not None:
            chosen = indices < self.kept_samples
            indices, columns = indices[chosen], {name: column[chosen] for name, column in columns.items()}
        self.indices.append(indices)
        for name, column in columns.items():
            getattr(self, name).append(column)

    def sorted_columns(self) -> list[Tensor]:
        """Return each column of all kept samples, in the order of their indices."""
        order = dim_zero_cat(self.indices).argsort()
        return [dim_zero_cat(getattr(self, name))[order] for name in self.column_names()]
