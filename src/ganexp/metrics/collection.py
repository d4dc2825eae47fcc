"""All scores of a run, which share one forward pass through the feature extractor."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from ganexp.autocast import without_autocast
from ganexp.console import say
from ganexp.errors import UserError
from ganexp.metrics.extractors.base import Extractor
from ganexp.metrics.labels import SampleLabels
from ganexp.metrics.reference import Reference, random_indices
from ganexp.metrics.score import Score, ScoreContext
from ganexp.pixels import to_uint8
from ganexp.tf32 import without_tf32

# Real images are chosen with seed 0. A dataset may be scored against itself; if the samples were chosen with seed 0
# too, the chosen samples and the chosen real images would then be the same images.
SEED_OF_RANKS = 1


class SampleCounts(Metric):
    """Count how often each sample was added, summed over all processes.

    Args:
        samples: number of samples to score.
    """

    full_state_update = False
    counts: Tensor  # (samples,)

    def __init__(self, samples: int) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(samples, dtype=torch.int32), dist_reduce_fx="sum")

    def update(self, indices: Tensor) -> None:
        """Count samples with indices (N,)."""
        self.counts.index_add_(0, indices, torch.ones_like(indices, dtype=torch.int32))

    def compute(self) -> Tensor:
        """Return the counts (samples,)."""
        return self.counts


class Scores:
    """The scores of generated images; most scores compare these images with real images.

    A validation calls `reset`, then `update` for each batch, then `compute`. The order of the batches does not matter.
    With several processes, each process adds its own samples, and `compute` returns the same values in all processes.
    The global random state is neither read nor changed.

    This class is not an `nn.Module`, so that the extractor is not saved in the checkpoints of a LightningModule.

    Args:
        extractor: feature extractor, which maps uint8 images to features and class logits.
        references: the statistics of the real images of each split; the keys are the names of the splits. If a value
            compares the samples with a split other than the first one, the name of the value includes the name of this
            split.
        samples: number of generated images to score.
        device: device on which features and scores are computed.
        score_factories: functions that construct the scores from a context; the keys are the names of the scores.
            `compute` returns the values in the order of these scores.
        class_reference: function that takes a class, and returns the statistics of the real images of this class in
            the first split.
        labels: the class of each generated image; None if the images have no labels.
        classes: names of the classes of the dataset, for `by_class`.
        expected_share: the share of the samples that each class should have, for `by_class`; empty if the shares are
            not known.
        reference_labels: the classes of the real images whose features the first reference keeps; None if these images
            have no labels.
        real_images: function that takes the name of a split and the indices (N,) of some images in this split, and
            returns these images, uint8 (N, C, H, W).
        class_images: number of real images of each class in the first split; empty if these images have no labels.

    Raises:
        UserError: there are no scores, two scores have values of the same name, or a score needs class logits or
            labels that do not exist.
    """

    def __init__(
        self,
        extractor: Extractor,
        references: dict[str, Reference],
        samples: int,
        device: torch.device,
        score_factories: Mapping[str, Callable[[ScoreContext], Score]],
        class_reference: Callable[[int], Reference] | None = None,
        labels: SampleLabels | None = None,
        classes: Sequence[str] = (),
        expected_share: Sequence[float] = (),
        reference_labels: Tensor | None = None,
        real_images: Callable[[str, Tensor], Tensor] | None = None,
        class_images: Sequence[int] = (),
    ) -> None:
        if not score_factories:
            raise UserError(
                "There is no score to compute: use for example metrics/score=[is,fid], or metrics=none for no scores"
            )
        self.extractor, self.references = extractor.to(device), references
        self.samples, self.device, self.real_images = samples, device, real_images
        self.labels, self.num_classes = labels, 0 if labels is None else len(labels.classes)
        self._class_facts: dict[str, list[Any]] = {"classes": list(classes), "expected_share": list(expected_share)}
        self._context = ScoreContext(
            extractor=extractor.name,
            feature_dim=extractor.feature_dim,
            num_logits=extractor.num_logits,
            knows_labels=extractor.knows_labels,
            references=references,
            samples=samples,
            device=device,
            num_classes=self.num_classes,
            class_reference=class_reference,
            reference_labels=reference_labels,
            real_images=real_images,
            class_samples=[] if labels is None else labels.counts,
            class_images=class_images,
        )
        self.scores = {name: make_score(self._context) for name, make_score in score_factories.items()}
        self._info = _merge({name: score.value_info() for name, score in self.scores.items()})
        self.sample_counts = SampleCounts(samples)
        metrics: dict[str, Metric | MetricCollection] = {**self.scores, "sample_counts": self.sample_counts}
        self.collection = MetricCollection(metrics, compute_groups=False).to(device)

    def choose_at_random(self) -> None:
        """Let scores that use only n of the samples choose a fixed random subset instead of the first n samples.

        Call this before the first `update` if the samples are existing images, because these may be sorted by class.
        """
        self._context.ranks = random_indices(self.samples, self.samples, SEED_OF_RANKS).to(self.device)

    def reset(self) -> None:
        """Remove all samples. Call this before the first `update` of a validation, not after the last `update`.

        After a `reset` under `torch.inference_mode`, no `update` is possible outside of this mode.
        """
        self.collection.reset()

    @torch.no_grad()
    def update(self, images: Tensor, labels: Tensor | None, indices: Tensor) -> None:
        """Add generated images.

        Args:
            images: images (N, C, H, W) in [-1, 1], which are first rounded to 8 bits.
            labels: the classes (N,) of the images; None if, and only if, the samples have no labels.
            indices: the index (N,) of each image among all samples, from 0 to `samples` - 1.

        Raises:
            ValueError: labels are missing or unexpected, or an index is out of range.
        """
        images = images.to(self.device)
        features, logits = self.extractor(to_uint8(images))
        self.update_features(features, logits, labels, indices, images)

    @torch.no_grad()
    def update_features(
        self,
        features: Tensor,
        logits: Tensor | None,
        labels: Tensor | None,
        indices: Tensor,
        images: Tensor | None = None,
    ) -> None:
        """Add generated images, given as features (N, d) and class logits (N, K).

        `update` describes the other arguments.
        """
        if (labels is None) != (self.num_classes == 0):
            raise ValueError(f"labels: got {labels}, but the samples have {self.num_classes} classes")
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < self.samples:
            raise ValueError(f"indices of {self.samples} samples must be between 0 and {self.samples - 1}")
        labels = None if labels is None else labels.to(self.device)
        indices = indices.to(self.device)
        self.collection.update(features=features, logits=logits, images=images, labels=labels, indices=indices)

    def compute(self) -> dict[str, float]:
        """Return the values of all scores; the keys are names such as `fid_inception` and `fid_inception_test`.

        If the arithmetic of a score fails, for example because all features are the same, the values of this score are
        NaN. A warning names every value that is not finite.

        Raises:
            ValueError: some samples are missing, or were added more than once.
            UserError: the names of the values that a score returns are not the names that it has declared, or a value
                is not a scalar.
        """
        counts = self.sample_counts.compute()
        if (counts != 1).any():
            missing, repeated = int((counts == 0).sum()), int((counts > 1).sum())
            raise ValueError(f"Of {self.samples} samples, {missing} are missing, and {repeated} came more than once")
        values: dict[str, float] = {}
        with without_tf32(), without_autocast(self.device):
            for name, score in self.scores.items():
                values |= _values(score, name)
        return values

    @property
    def by_class(self) -> dict[str, list[Any]]:
        """Lists with one entry for each class, available after `compute`; empty if no score has values for classes.

        The list `classes` has the names of the classes, and the list `expected_share` has the share of the samples that
        each class should have. The other lists are values of scores: `share`, `accuracy`, `fid` and `diversity`. The
        entry of a class without a value is None.

        Raises:
            UserError: two scores have a list of the same name.
        """
        values = _merge({name: score.by_class for name, score in self.scores.items()})
        return {name: each for name, each in self._class_facts.items() if each} | values if values else {}

    def info(self) -> dict[str, dict[str, Any]]:
        """Return how to interpret each value of `compute`, see `Score.value_info`."""
        return self._info

    def protocol(self, drawn_together: int | None = None) -> dict[str, Any]:
        """Return how the values are measured. Values that have protocols with different `id`s cannot be compared.

        Args:
            drawn_together: number of images that the generator draws in one batch; None if the images do not depend on
                this number.
        """
        references = {s: {"images": real.count, "sha256": real.fingerprint} for s, real in self.references.items()}
        # if the name of a value contains no split, the value compares the samples with the first split
        order = {"first_reference": next(iter(references))} if len(references) > 1 else {}
        settings = {
            "extractor": self.extractor.name,
            "weights_sha256": self.extractor.identity,
            "input": self.extractor.input,
            "samples": self.samples,
            "references": references,
            **order,
            **({} if drawn_together is None else {"drawn_together": drawn_together}),
            **({} if self.labels is None else self.labels.protocol()),
        }
        by_score = {name: facts for name, score in self.scores.items() if (facts := score.protocol())}
        settings |= {"scores": by_score} if by_score else {}
        label_facts = {} if self.labels is None else self.labels.facts()
        text = json.dumps(settings, sort_keys=True)
        return settings | label_facts | self.extractor.facts | {"id": hashlib.sha256(text.encode()).hexdigest()[:8]}

    def to(self, device: torch.device) -> "Scores":
        """Move the extractor, the references and the scores to `device`, and return self."""
        self.device = torch.device(device)
        self.extractor.to(device)
        self.collection.to(device)
        for reference in self.references.values():
            reference.move_to(self.device)
        return self


def _merge(by_score: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the entries of all scores in one dictionary.

    Raises:
        UserError: two scores have an entry of the same name.
    """
    merged: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for score, entries in by_score.items():
        if repeated := next((name for name in entries if name in merged), None):
            raise UserError(
                f"metrics.scores.{score}: its value {repeated} has the same name as a value of "
                f"metrics.scores.{owners[repeated]}. Give one of the two values another name, or leave out one score."
            )
        merged |= entries
        owners |= dict.fromkeys(entries, score)
    return merged


def _values(score: Score, key: str) -> dict[str, float]:
    """Return the values of the score with the name `key`. If the score cannot be computed, all values are NaN."""
    reason = "the result is not a finite number"
    names = list(score.value_info())
    try:
        computed = score.compute()
    except (ArithmeticError, torch.linalg.LinAlgError) as error:
        computed, reason = dict.fromkeys(names, math.nan), str(error)
    if not isinstance(computed, Mapping) or {*computed} != {*names} or not all(map(_is_scalar, computed.values())):
        raise UserError(
            f"metrics.scores.{key}: compute must return a dictionary with a scalar for each of the names "
            f"{', '.join(names)}, but it returned {computed}"
        )
    values = {name: float(value) for name, value in computed.items()}
    if not_finite := [name for name, value in values.items() if not math.isfinite(value)]:
        say(f"warning: {', '.join(not_finite)} cannot be computed: {reason}")
    return values


def _is_scalar(value: object) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, Tensor) and value.numel() == 1)
