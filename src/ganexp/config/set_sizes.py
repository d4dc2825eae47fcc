"""Refuse scores that need more images than there are, before anything is computed, and suggest a fix."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ganexp.console import count
from ganexp.errors import UserError
from ganexp.metrics.labels import SampleLabels
from ganexp.metrics.score import Minimum

SHOWN_CLASSES = 3  # for each score, an error lists at most this many classes with too few images


@dataclass(frozen=True)
class SetSizes:
    """Numbers of generated images and reference images of a run.

    Attributes:
        samples: number of generated images.
        labels: labels of the generated images; None if they have no labels.
        references: for each split of real images, the number of images.
        class_images: number of real images of each class in the first reference; empty if there are no classes.
    """

    samples: int
    labels: SampleLabels | None
    references: Mapping[str, int]
    class_images: Sequence[int]

    @property
    def first_split(self) -> str:
        """The split of the first reference."""
        return next(iter(self.references))


def check_set_sizes(minimums: Mapping[str, Minimum], sizes: SetSizes) -> None:
    """Check that there are enough images for each score.

    Args:
        minimums: for each score, the minimum numbers of images; the keys are the names of the scores.
        sizes: the actual numbers of images.

    Raises:
        UserError: there are too few images; for each score, the message names the sets of images that are too small.
    """
    complaints = [line for name, minimum in minimums.items() for line in _complaints(name, minimum, sizes)]
    if complaints:
        raise UserError("\n".join(complaints))


def too_few_samples(name: str, minimum: Minimum, samples: int) -> Iterator[str]:
    """Yield an error line if a score needs more generated images than `samples`."""
    if samples < minimum.samples:
        reason = f", {minimum.reason}" if minimum.reason else ""
        yield (
            f"metrics.samples={samples}: metrics.scores.{name} needs {minimum.samples} generated images or more"
            f"{reason}: score more images, or {_without(name)}"
        )


def _without(name: str) -> str:
    return f"remove {name} from metrics/score"


def _complaints(name: str, minimum: Minimum, sizes: SetSizes) -> Iterator[str]:
    without = _without(name)
    yield from too_few_samples(name, minimum, sizes.samples)
    for split, images in sizes.references.items():
        if images < minimum.images:
            yield (
                f"metrics.references: metrics.scores.{name} needs {minimum.images} real images, and the {split} "
                f"split has {images}: use another split, add images, or {without}"
            )
    if minimum.of_class:
        yield from _class_complaints(name, minimum.of_class, sizes, without)


def _class_complaints(name: str, minimum: int, sizes: SetSizes, without: str) -> Iterator[str]:
    """Yield error lines for a score that compares the images of each class.

    If the samples or the real images have no classes, there is only one line. Otherwise there is a line for each of the
    first `SHOWN_CLASSES` classes with too few images. If there are more such classes, a last line gives their number.
    """
    if sizes.labels is None:
        yield (
            f"The score {name} compares the images of each class, but these samples have no labels: "
            f"train with model.conditional=true, or {without}"
        )
    elif not sizes.class_images:
        yield (
            f"The score {name} compares the images of each class, but the {sizes.first_split} split, the first of "
            f"metrics.references, has no classes: put another split first, or {without}"
        )
    else:
        lines = list(_small_classes(name, minimum, sizes, sizes.labels, without))
        yield from lines[:SHOWN_CLASSES]
        if len(lines) > SHOWN_CLASSES:
            yield f"… and {count(len(lines) - SHOWN_CLASSES, 'more class')} with the same problem"


def _small_classes(name: str, minimum: int, sizes: SetSizes, labels: SampleLabels, without: str) -> Iterator[str]:
    for class_name, images, samples in zip(labels.classes, sizes.class_images, labels.counts, strict=True):
        start = f"The score {name} needs at least {minimum}"
        if images < minimum and (images or samples):
            yield (
                f"{start} real images of each class, and class {class_name} has {images} in the {sizes.first_split} "
                f"split: add images, remove the class from the dataset, or {without}"
            )
        elif images and samples < minimum:
            yield (
                f"{start} samples of each class, and class {class_name} has {samples} of {sizes.samples}: "
                f"{_more_samples(minimum, images, sizes, labels)}{without}"
            )


def _more_samples(minimum: int, images: int, sizes: SetSizes, labels: SampleLabels) -> str:
    """Return a hint at settings that give a class enough samples; empty if the samples are existing images."""
    if labels.shares is None:
        return ""
    classes = len(labels.classes)
    if labels.shares == "uniform":
        return f"use metrics.samples={minimum * classes} or more, or "
    enough = math.ceil(minimum * sum(sizes.class_images) / images)
    return f"use metrics.samples={enough} or more, or metrics.labels=uniform, or "
