"""All scores of a run: one pass through the feature extractor feeds every score."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from ganexp.errors import UserError
from ganexp.metrics.extractors.base import Extractor
from ganexp.metrics.reference import Reference
from ganexp.metrics.score import Score, ScoreContext
from ganexp.pixels import to_uint8


class SampleCounts(Metric):
    """How often each of the announced samples came, over all processes.

    Args:
        samples: number of samples that will be scored.
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
    """The scores of generated images against real ones.

    A validation calls `reset`, then `update` for each batch, in any order, then `compute`. With several processes, each
    updates with its own samples, and all compute the same values. The global random state is neither read nor changed.

    This is no `nn.Module`, so that the extractor of a LightningModule's scores does not enter its checkpoints.

    Args:
        extractor: maps uint8 images to features and class logits.
        references: real images by split. The names of values that compare with the first one contain no split.
        samples: number of images that will be scored.
        splits: parts of the Inception Score; part of the protocol.
        device: where features and scores are computed.
        score_factories: functions that construct each score from its context, by name. Values come in this order.
        class_reference: returns the real images of one class of the first split, for scores within a class.
        num_classes: classes of the labels that the images were generated for; 0 if they have no labels.

    Raises:
        UserError: no score is given, or one that cannot be computed with this extractor, or without labels.
    """

    def __init__(
        self,
        extractor: Extractor,
        references: dict[str, Reference],
        samples: int,
        splits: int,
        device: torch.device,
        score_factories: Mapping[str, Callable[[ScoreContext], Score]],
        class_reference: Callable[[int], Reference] | None = None,
        num_classes: int = 0,
    ) -> None:
        if not score_factories:
            raise UserError("There is no score to compute: choose some, as in metrics/score=[is,fid], or metrics=none")
        self.extractor, self.references = extractor.to(device), references
        self.samples, self.splits, self.device = samples, splits, device
        context = ScoreContext(
            extractor=extractor.name,
            feature_dim=extractor.feature_dim,
            num_logits=extractor.num_logits,
            knows_labels=extractor.knows_labels,
            references=references,
            samples=samples,
            device=device,
            num_classes=num_classes,
            class_reference=class_reference,
        )
        self.num_classes = num_classes
        self.scores = {name: make_score(context) for name, make_score in score_factories.items()}
        self.sample_counts = SampleCounts(samples)
        metrics: dict[str, Metric | MetricCollection] = {**self.scores, "sample_counts": self.sample_counts}
        self.collection = MetricCollection(metrics, compute_groups=False).to(device)

    def reset(self) -> None:
        """Forget all samples. Call it before the first update of a validation, not after the last one.

        What is reset under `torch.inference_mode` cannot be updated outside of it.
        """
        self.collection.reset()

    @torch.no_grad()
    def update(self, images: Tensor, labels: Tensor | None, indices: Tensor) -> None:
        """Add generated images.

        Args:
            images: (N, C, H, W) in [-1, 1]; they are rounded to 8 bits first.
            labels: the classes (N,) that they were generated for; None exactly if `num_classes` is 0.
            indices: the number (N,) of each image among all samples, from 0 to `samples` - 1.

        Raises:
            ValueError: labels are missing or unexpected, or an index is not among those of the samples.
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
        """Add generated images whose features (N, d) and class logits (N, K) are known; the rest is as in `update`."""
        if (labels is None) != (self.num_classes == 0):
            raise ValueError(f"labels: got {labels}, but the samples have {self.num_classes} classes")
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < self.samples:
            raise ValueError(f"indices: must lie between 0 and {self.samples - 1}, for {self.samples} samples")
        labels = None if labels is None else labels.to(self.device)
        indices = indices.to(self.device)
        self.collection.update(features=features, logits=logits, images=images, labels=labels, indices=indices)

    def compute(self) -> dict[str, float]:
        """Return the values of all scores by name, such as `fid_inception` and `fid_inception_test`.

        Raises:
            ValueError: samples are missing, or came twice.
        """
        counts = self.sample_counts.compute()
        if (counts != 1).any():
            missing, repeated = int((counts == 0).sum()), int((counts > 1).sum())
            raise ValueError(f"Of {self.samples} samples {missing} are missing, and {repeated} came more than once")
        values: dict[str, float] = {}
        for score in self.scores.values():
            values |= {name: value.item() for name, value in score.compute().items()}
        return values

    @property
    def by_class(self) -> dict[str, list[float]]:
        """After `compute`: lists with a value for each class, such as `share`, `accuracy` and `fid`."""
        return {name: values for score in self.scores.values() for name, values in score.by_class.items()}

    def info(self) -> dict[str, dict[str, Any]]:
        """Return how each value of `compute` is to be read, see `Score.value_info`."""
        return {name: info for score in self.scores.values() for name, info in score.value_info().items()}

    def protocol(self) -> dict[str, Any]:
        """Return how the values are measured. Values whose protocols have different `id`s cannot be compared."""
        references = {s: {"images": real.count, "sha256": real.fingerprint} for s, real in self.references.items()}
        settings = {
            "extractor": self.extractor.name,
            "weights_sha256": self.extractor.identity,
            "input": self.extractor.input,
            "samples": self.samples,
            "splits": self.splits,
            "references": references,
        }
        text = json.dumps(settings, sort_keys=True)
        return settings | self.extractor.facts | {"id": hashlib.sha256(text.encode()).hexdigest()[:8]}

    def to(self, device: torch.device) -> "Scores":
        """Move the extractor, the references and the scores to `device`, and return self."""
        self.device = torch.device(device)
        self.extractor.to(device)
        self.collection.to(device)
        for reference in self.references.values():
            reference.move_to(self.device)
        return self
