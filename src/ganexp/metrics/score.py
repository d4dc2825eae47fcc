"""Base classes of all scores, and the context from which a score is constructed.

To add a score, write a subclass of `Score` (or of `SampleScore`, if the score needs the features of individual samples)
in a new file, and a YAML file in conf/metrics/score that names the class. The method `update` of the class takes any of
the arguments `features`, `logits`, `images`, `labels` and `indices`, see `ganexp.metrics.collection.Scores`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from ganexp.metrics.reference import Reference

MAX_KEPT_SAMPLES = 10_000  # maximum number of samples whose features are kept to compare individual images


@dataclass(frozen=True)
class Minimum:
    """The minimum numbers of images for a score.

    Attributes:
        samples: number of generated images.
        images: number of real images of each reference.
        of_class: number of generated images of each class, and of real images of each class in the first reference.
            Classes without any images are ignored. 0 if the score does not compare the images within a class.
        reason: explanation of `samples`, which is added to an error message; may be empty.
    """

    samples: int = 1
    images: int = 1
    of_class: int = 0
    reason: str = ""


@dataclass
class ScoreContext:
    """Description of the samples, the feature extractor and the real images.

    Attributes:
        extractor: name of the feature extractor; it is part of the name of every value.
        feature_dim: number of features per image.
        num_logits: number of class logits per image, or None if the extractor returns no logits.
        knows_labels: whether the extractor's classes are the classes of the dataset.
        references: the statistics of the real images of each split; the keys are the names of the splits. If a value
            compares the samples with a split other than the first one, the name of the value includes the name of this
            split.
        samples: number of generated images to score.
        device: device on which features are computed.
        num_classes: number of classes of the samples; 0 if the samples have no labels.
        class_reference: function that takes a class, and returns the statistics of the real images of this class in
            the first split; None if there are no labels.
        reference_labels: the classes of the real images whose features the first reference keeps; None if these images
            have no labels.
        real_images: function that takes the name of a split and the indices (N,) of some images in this split, and
            returns these images, uint8 (N, C, H, W).
        class_samples: number of samples of each class; empty if the samples have no labels.
        class_images: number of real images of each class in the first split; empty if these images have no labels.
        ranks: the rank of each sample, int64 (samples,). A score of n samples uses the samples with ranks below n. None
            if the rank of each sample is its index.
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
    class_samples: Sequence[int] = ()
    class_images: Sequence[int] = ()
    ranks: Tensor | None = None

    def ranks_of(self, indices: Tensor) -> Tensor:
        """Return the ranks (N,) of samples with indices (N,). A score of n samples uses samples with ranks below n."""
        return indices if self.ranks is None else self.ranks[indices]

    @property
    def first_reference(self) -> Reference:
        """The statistics of the real images of the first split."""
        return next(iter(self.references.values()))

    def named_references(self) -> list[tuple[str, Reference]]:
        """Return, for each reference, a suffix for value names (such as `classifier_test`), and the reference."""
        splits = list(self.references)
        endings = [self.extractor] + [f"{self.extractor}_{split}" for split in splits[1:]]
        return list(zip(endings, self.references.values(), strict=True))


class Score(Metric):
    """A score of generated images: a torchmetrics metric that returns one or several named scalars.

    What a score stores is summed or concatenated over all processes. The order of updates does not change the values.

    Attributes:
        higher_is_better: whether higher values are better; None if neither higher nor lower values are better.
        plot_scale: scale of the axis on which the values are plotted.
        kept_samples: number of samples that are kept in memory. The samples with the lowest ranks are kept. None keeps
            all samples.
        fewest_images: number of images that the values need. With fewer images, the values have a bias that differs
            between generators (an example is the FID). None if the values have no such bias.
        spread: description of the deviations or interval limits whose names `spread_names` returns, such as "standard
            deviation over 10 splits".
        by_class: dictionary of lists with one value for each class, available after `compute`. Possible keys are
            `share`, `accuracy`, `fid` and `diversity`. The value of a class is None if it cannot be computed.

    Args:
        context: description of the samples, the extractor and the references.

    Raises:
        UserError: the score needs class logits or labels that do not exist.
    """

    full_state_update = False
    higher_is_better: bool | None = None
    plot_scale: Literal["linear", "log"] = "linear"
    kept_samples: ClassVar[int | None] = 0
    fewest_images: int | None = None
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
            settings: the arguments that the config passes to the score.
        """
        return Minimum()

    def value_patterns(self) -> list[str]:
        """Return the patterns, such as `fid_{}`, of the names of the values that are computed for every reference.

        The braces stand for the suffix that `ScoreContext.named_references` returns for a reference. A score that
        compares the samples with every reference overrides this method, and other scores override `value_names`.
        """
        return []

    def value_names(self) -> list[str]:
        """Return the names of the values that `compute` returns, without deviations and interval limits."""
        if not self.value_patterns():
            raise NotImplementedError
        endings = [ending for ending, _ in self.context.named_references()]
        return [pattern.format(ending) for pattern in self.value_patterns() for ending in endings]

    def spread_names(self) -> dict[str, str]:
        """Return, for the name of each deviation or interval limit, the name of the value that it describes."""
        return {}

    def value_info(self) -> dict[str, dict[str, Any]]:
        """Return, for the name of each value, a dictionary that tells how to interpret the value.

        The dictionary of a value has the direction and the scale, such as
        `{"higher_is_better": False, "plot_scale": "log"}`, and `fewest_images` if this is not None. If the value
        compares the samples with a reference other than the first one, it also has the split of this reference, and the
        name of the same value for the first reference: `{"reference": "test", "row": "fid_classifier"}`. The dictionary
        of a deviation or an interval limit has the name of the value that it belongs to, and a description:
        `{"spread_of": "is_classifier", "spread": "standard deviation over 10 splits"}`.
        """
        info: dict[str, Any] = {"higher_is_better": self.higher_is_better, "plot_scale": self.plot_scale}
        info |= {} if self.fewest_images is None else {"fewest_images": self.fewest_images}
        further = list(zip(self.context.references, self.context.named_references(), strict=True))[1:]
        places = {
            pattern.format(ending): {"reference": split, "row": pattern.format(self.context.extractor)}
            for pattern in self.value_patterns()
            for split, (ending, _) in further
        }
        values = {name: info | places.get(name, {}) for name in self.value_names()}
        return values | {
            name: {"spread_of": value, "spread": self.spread} for name, value in self.spread_names().items()
        }

    def compared_samples(self) -> dict[str, int]:
        """Return each number of samples that `fewest_images` limits; its key is a text such as "500 samples"."""
        return {f"{self.context.samples:,} samples": self.context.samples}

    def compared_real_images(self) -> dict[str, int]:
        """Return each number of real images that `fewest_images` limits; its key is a text that describes it."""
        return {f"{real.count:,} real images ({split})": real.count for split, real in self.context.references.items()}

    def protocol(self) -> dict[str, Any]:
        """Return the settings that determine the values; settings with their default values are left out."""
        return {}

    def reset(self) -> None:
        """Remove all samples. This must be called before the first update of every validation, see `Scores.reset`."""
        super().reset()
        self.by_class = {}


class SampleScore(Score):
    """Base class of scores that keep the features of the `kept_samples` samples with the lowest ranks."""

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
        """Keep the samples with ranks below `kept_samples`.

        Args:
            indices: the indices (N,) of the samples.
            columns: tensors (N, ...) with one row for each sample; the keys are the names of the tensors.
        """
        if self.kept_samples is not None:
            chosen = self.context.ranks_of(indices) < self.kept_samples
            indices, columns = indices[chosen], {name: column[chosen] for name, column in columns.items()}
        self.indices.append(indices)
        for name, column in columns.items():
            getattr(self, name).append(column)

    def sorted_columns(self) -> list[Tensor]:
        """Return each column, with the rows of all kept samples in the order of their indices."""
        order = dim_zero_cat(self.indices).argsort()
        return [dim_zero_cat(getattr(self, name))[order] for name in self.column_names()]
