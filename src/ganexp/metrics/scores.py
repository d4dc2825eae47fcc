"""Scores of generated images, all from one pass through one extractor.

torchmetrics and torch-fidelity compute them; they are handed features instead of images.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

from ganexp.errors import UserError
from ganexp.metrics.diversity import class_shares, mean_distances
from ganexp.metrics.frechet import bootstrap_interval, extrapolated, gaussian
from ganexp.metrics.inception_score import InceptionScore
from ganexp.metrics.neighbours import neighbour_scores
from ganexp.metrics.reference import Reference, feature_sums

NAMES = ("is", "fid", "kid", "neighbours", "diversity", "fid_interval", "fid_infinity", "intra_fid")
WITH_EVERY_FEATURE = {"fid_interval", "fid_infinity", "intra_fid"}
WITH_FEATURES = {"kid", "neighbours", "diversity"}
KEPT = 10_000  # samples whose features these look at
PAIRED = 2000  # samples of which every pair's distance is taken


def to_uint8(images: Tensor) -> Tensor:
    """[-1, 1] -> 0 … 255, rounded to the nearest; same shape."""
    return images.float().mul(127.5).add_(128).clamp_(0, 255).to(torch.uint8)


class Scores:
    """Scores of generated images against references.

    Args:
        extractor: images uint8 (N, C, H, W) -> (features (N, d), logits (N, classes) or None).
        references: by split; the first one's scores carry no split in their names.
        samples: that will be scored.
        splits: of the Inception Score.
        names: which: is, fid, kid, neighbours (precision, recall, density, coverage), diversity (mean distances, in
            units of the real images' own), and, with all the features kept, fid_interval (95 %, by bootstrap),
            fid_infinity and intra_fid (mean FID of the classes).
        fid_at: sample counts below `samples` at which FID is taken too.
        class_reference: for intra_fid, the reference of a class of the first split.

    Attributes:
        by_class: after a call, what is known of each class: share, accuracy, fid.

    Raises:
        UserError: an unknown name, or one that the extractor cannot serve.
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
        class_reference: Callable[[int], Reference] | None = None,
    ) -> None:
        if not names or set(names) - set(NAMES):
            raise UserError(f"scores={list(names)}: use some of {', '.join(NAMES)}")
        if "is" in names and not getattr(extractor, "gives_logits", True):
            raise UserError(
                f"scores={list(names)}: {extractor.name} gives no class logits, which `is` wants: leave it out"
            )
        self.extractor, self.references, self.device = extractor.to(device), references, device
        self.samples, self.splits, self.names = samples, splits, set(names)
        self.fid_at = sorted(count for count in fid_at if count < samples)
        self.class_reference = class_reference
        self.kept = samples if WITH_EVERY_FEATURE & self.names else KEPT if WITH_FEATURES & self.names else 0
        self.by_class: dict[str, list[float]] = {}

    def protocol(self) -> dict[str, Any]:
        """What the numbers are measured with; those of another `id` cannot be compared with them."""
        references = {s: {"images": real.count, "sha256": real.fingerprint} for s, real in self.references.items()}
        ruler = {
            "extractor": self.extractor.name,
            "weights_sha256": self.extractor.identity,
            "input": self.extractor.input,
            "samples": self.samples,
            "splits": self.splits,
            "references": references,
        }
        text = json.dumps(ruler, sort_keys=True)
        return ruler | self.extractor.facts | {"id": hashlib.sha256(text.encode()).hexdigest()[:8]}

    @torch.no_grad()
    def __call__(self, batches: Iterable[Tensor], labels: Tensor | None = None) -> dict[str, float]:
        """Scores of `samples` images in [-1, 1], (N, C, H, W) a batch: `fid_EXTRACTOR`, `fid_EXTRACTOR_test`, …

        With the `labels` (N,) that all the images were drawn for, and an extractor that knows them, also
        `accuracy_EXTRACTOR`: the share of images that it puts in their class.
        """
        sums, score, values = feature_sums(self.extractor, self.device), None, {}
        kept, guesses, seen = [], [], 0
        for images in _cut(batches, self.fid_at):
            features, logits = self.extractor(to_uint8(images.to(self.device)))
            if "is" in self.names:
                score = score or InceptionScore(logits.shape[1], self.samples, self.splits).to(self.device)
                score.update(logits)
            if self._knows_labels:
                guesses.append(logits.argmax(1))
            if "fid" in self.names:
                sums.update(features, real=False)
            if seen < self.kept:
                kept.append(features[: self.kept - seen])
            seen += len(images)
            if seen in self.fid_at:
                values |= self._fids(sums, f"_{seen}")
        if "is" in self.names:
            values |= self._inception_score(score)
        values |= self._fids(sums, "")
        guessed = torch.cat(guesses) if guesses else None
        if kept:
            values |= self.of_features(torch.cat(kept), guessed, labels)
        return values | self._of_classes(guessed, logits, labels)

    @property
    def _knows_labels(self) -> bool:
        return getattr(self.extractor, "knows_labels", False)

    def _inception_score(self, score: InceptionScore) -> dict[str, float]:
        mean, spread = (value.item() for value in score.compute())
        name = f"is_{self.extractor.name}"
        return {name: mean, f"{name}_std": spread} if self.splits > 1 else {name: mean}

    def _fids(self, sums: Any, suffix: str) -> dict[str, float]:
        if "fid" not in self.names:
            return {}
        found = gaussian(sums.fake_features_sum, sums.fake_features_cov_sum, sums.fake_features_num_samples)
        return {f"fid_{name}{suffix}": reference.distance(*found) for name, reference in self._named()}

    def of_features(self, features: Tensor, guessed: Tensor | None, labels: Tensor | None) -> dict[str, float]:
        """What is made of the features themselves (≤ kept, d)."""
        values = {}
        for name, reference in self._named():
            some, real = features[:KEPT], reference.features
            if "kid" in self.names:
                size = min(1000, len(some), len(real))
                found = kid_features_to_metric(some, real, kid_subset_size=size, verbose=False)
                values[f"kid_{name}"] = found[KEY_METRIC_KID_MEAN]
                values[f"kid_{name}_std"] = found[KEY_METRIC_KID_STD]
            if "neighbours" in self.names:
                values |= {f"{key}_{name}": value for key, value in neighbour_scores(real, some).items()}
            if "fid_interval" in self.names:
                low, high = bootstrap_interval(features, reference.distance)
                values |= {f"fid_{name}_low": low, f"fid_{name}_high": high}
            if "fid_infinity" in self.names:
                values[f"fid_infinity_{name}"] = extrapolated(features, reference.distance)
        if "diversity" in self.names:
            real = next(iter(self.references.values())).features
            unit = mean_distances(real[torch.linspace(0, len(real) - 1, min(PAIRED, len(real))).long()])["distance"]
            found = mean_distances(features[:PAIRED], None if guessed is None else guessed[:PAIRED])
            values |= {f"{key}_{self.extractor.name}": value / unit for key, value in found.items()}
        if "intra_fid" in self.names:
            distances = [self._class_fid(c, features[labels == c]) for c in labels.unique().tolist()]
            self.by_class["fid"] = distances
            values[f"intra_fid_{self.extractor.name}"] = sum(distances) / len(distances)
        return values

    def _class_fid(self, index: int, features: Tensor) -> float:
        x = features.double()
        return self.class_reference(index).distance(*gaussian(x.sum(0), x.T @ x, len(x)))

    def _of_classes(self, guessed: Tensor | None, logits: Tensor, labels: Tensor | None) -> dict[str, float]:
        """The samples' classes as the extractor sees them, where it knows the set's."""
        if guessed is None:
            return {}
        guessed = guessed.cpu()
        self.by_class["share"] = class_shares(guessed, logits.shape[1]).tolist()
        if labels is None:
            return {}
        right = (guessed == labels).double()
        self.by_class["accuracy"] = [right[labels == c].mean().item() for c in labels.unique().tolist()]
        return {f"accuracy_{self.extractor.name}": right.mean().item()}

    def _named(self) -> Iterator[tuple[str, Reference]]:
        """Each reference with the end of its scores' names: the extractor, and the split where it is not the first."""
        for index, (split, reference) in enumerate(self.references.items()):
            yield (self.extractor.name if index == 0 else f"{self.extractor.name}_{split}"), reference


def _cut(batches: Iterable[Tensor], counts: list[int]) -> Iterator[Tensor]:
    """`batches`, cut where the number of images so far reaches one of `counts`."""
    seen = 0
    for images in batches:
        edges = [count - seen for count in counts if seen < count < seen + len(images)]
        seen += len(images)
        yield from torch.tensor_split(images, edges)
