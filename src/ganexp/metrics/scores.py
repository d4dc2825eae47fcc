"""Scores of generated images, all from one pass through one extractor.

torchmetrics and torch-fidelity compute them; they are handed features instead of images.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

from ganexp.errors import UserError
from ganexp.metrics.inception_score import InceptionScore
from ganexp.metrics.neighbours import neighbour_scores
from ganexp.metrics.reference import Reference, frechet_distance

Extractor = Callable[[Tensor], tuple[Tensor, Tensor]]
NAMES = ("is", "fid", "kid", "neighbours")


def to_uint8(images: Tensor) -> Tensor:
    """[-1, 1] -> 0 … 255, rounded to the nearest; same shape."""
    return images.float().mul(127.5).add_(128).clamp_(0, 255).to(torch.uint8)


class Scores:
    """Scores of generated images against references.

    Args:
        extractor: images uint8 (N, C, H, W) -> (features (N, d), logits (N, classes)).
        references: by split; the first one's scores carry no split in their names.
        samples: that will be scored.
        splits: of the Inception Score.
        names: which: is, fid, kid, neighbours (precision, recall, density, coverage).
        fid_at: sample counts below `samples` at which FID is taken too.
        kept: samples whose features are kept, for kid and neighbours.

    Raises:
        UserError: an unknown name.
    """

    def __init__(
        self,
        extractor: Any,
        references: dict[str, Reference],
        samples: int,
        splits: int,
        device: torch.device,
        names: tuple[str, ...] = ("is", "fid"),
        fid_at: tuple[int, ...] = (),
        kept: int = 10_000,
    ) -> None:
        if not names or set(names) - set(NAMES):
            raise UserError(f"scores={list(names)}: use some of {', '.join(NAMES)}")
        self.extractor, self.references, self.device = extractor.to(device), references, device
        self.samples, self.splits, self.names = samples, splits, names
        self.fid_at = sorted(count for count in fid_at if count < samples)
        self.kept = kept if {"kid", "neighbours"} & set(names) else 0

    @torch.no_grad()
    def __call__(self, batches: Iterable[Tensor], labels: Tensor | None = None) -> dict[str, float]:
        """Scores of `samples` images in [-1, 1], (N, C, H, W) a batch: `fid_EXTRACTOR`, `fid_EXTRACTOR_test`, …

        With the `labels` (N,) that all the images were drawn for, and an extractor that knows them, also
        `accuracy_EXTRACTOR`: the share of images that it puts in their class.
        """
        fid, score, values = frechet_distance(self.extractor, self.device), None, {}
        kept, guesses, seen = [], [], 0
        for images in _cut(batches, self.fid_at):
            features, logits = self.extractor(to_uint8(images.to(self.device)))
            if "is" in self.names:
                score = score or InceptionScore(logits.shape[1], self.samples, self.splits).to(self.device)
                score.update(logits)
            guesses.append(logits.argmax(1))
            if "fid" in self.names:
                fid.update(features, real=False)
            if seen < self.kept:
                kept.append(features[: self.kept - seen])
            seen += len(images)
            if seen in self.fid_at and "fid" in self.names:
                values |= self._fids(fid, f"_{seen}")
        if "is" in self.names:
            values |= self._inception_score(score)
        if "fid" in self.names:
            values |= self._fids(fid, "")
        if kept:
            values |= self.image_by_image(torch.cat(kept))
        if labels is not None and getattr(self.extractor, "knows_labels", False):
            right = torch.cat(guesses).cpu() == labels
            values[f"accuracy_{self.extractor.name}"] = right.float().mean().item()
        return values

    def _inception_score(self, score: InceptionScore) -> dict[str, float]:
        mean, spread = (value.item() for value in score.compute())
        name = f"is_{self.extractor.name}"
        return {name: mean, f"{name}_std": spread} if self.splits > 1 else {name: mean}

    def _fids(self, fid: Any, suffix: str) -> dict[str, float]:
        values = {}
        for split, reference in self._named():
            for name, value in reference.sums.items():
                getattr(fid, name).copy_(value)
            values[f"fid_{self.extractor.name}{split}{suffix}"] = fid.compute().item()
        return values

    def image_by_image(self, features: Tensor) -> dict[str, float]:
        """The scores that compare images pair by pair, of features (N, d)."""
        values, name = {}, self.extractor.name
        for split, reference in self._named():
            if "kid" in self.names:
                size = min(1000, len(features), len(reference.features))
                found = kid_features_to_metric(features, reference.features, kid_subset_size=size, verbose=False)
                values[f"kid_{name}{split}"] = found[KEY_METRIC_KID_MEAN]
                values[f"kid_{name}{split}_std"] = found[KEY_METRIC_KID_STD]
            if "neighbours" in self.names:
                found = neighbour_scores(reference.features, features)
                values |= {f"{key}_{name}{split}": value for key, value in found.items()}
        return values

    def _named(self) -> Iterator[tuple[str, Reference]]:
        """Each reference with what its split adds to a score's name."""
        for index, (split, reference) in enumerate(self.references.items()):
            yield ("" if index == 0 else f"_{split}"), reference


def _cut(batches: Iterable[Tensor], counts: list[int]) -> Iterator[Tensor]:
    """`batches`, cut where the number of images so far reaches one of `counts`."""
    seen = 0
    for images in batches:
        edges = [count - seen for count in counts if seen < count < seen + len(images)]
        seen += len(images)
        yield from torch.tensor_split(images, edges)
