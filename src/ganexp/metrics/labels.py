"""The classes of the samples to score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

SHOWN_CLASSES = 5  # maximum number of class names in a line of text


@dataclass(frozen=True)
class SampleLabels:
    """The class of each sample to score, and the names of the classes.

    Attributes:
        values: the class of each sample, in the order of the samples' indices; int64 (samples,).
        classes: the name of each class.
        shares: how the number of samples of each class is chosen. With `reference`, each class has the same share as in
            the first reference; with `uniform`, all classes have the same share. None if the samples are
            existing images, which have labels of their own.
    """

    values: Tensor
    classes: Sequence[str]
    shares: Literal["reference", "uniform"] | None = None

    @property
    def counts(self) -> list[int]:
        """The number of samples of each class."""
        return torch.bincount(self.values, minlength=len(self.classes)).tolist()

    @property
    def are_even(self) -> bool:
        """Whether all classes have the same number of samples, or numbers that differ by at most one."""
        return max(self.counts) - min(self.counts) <= 1

    def counts_text(self) -> str:
        """Return one line that lists the largest classes with their numbers of samples, and classes without samples."""
        counts = sorted(zip(self.counts, self.classes, strict=True), key=lambda each: -each[0])
        present = [f"{name} {count:,}" for count, name in counts if count]
        missing = [name for count, name in counts if not count]
        return _shortened(present) + (f"; none of {_shortened(missing)}" if missing else "")

    def protocol(self) -> dict[str, Any]:
        """Return the number of samples of each class, as a part of the protocol.

        The result is empty if the samples are existing images (`shares` is None), or if the numbers of all classes
        differ by at most one.
        """
        if self.shares is None or self.are_even:
            return {}
        return {"class_samples": dict(zip(self.classes, self.counts, strict=True))}

    def facts(self) -> dict[str, Any]:
        """Return further information about the labels, which is recorded with the protocol."""
        return {} if self.shares is None else {"labels": self.shares}


def _shortened(names: Sequence[str]) -> str:
    return ", ".join([*names[:SHOWN_CLASSES], *(["…"] if len(names) > SHOWN_CLASSES else [])])
