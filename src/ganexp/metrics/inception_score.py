"""The Inception Score (Salimans et al. 2016).

The score is computed from sums, so that the memory does not grow with the number of samples.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganexp.errors import UserError
from ganexp.metrics.score import Minimum, Score, ScoreContext
from ganexp.types import PositiveInt

DEFAULT_SPLITS = 10


class InceptionScore(Score):
    """The mean and standard deviation of exp(E KL(p(y|x) ‖ p(y))) over `splits` random parts of the samples.

    The random parts are the same as in torch-fidelity, so that ganexp and torch-fidelity give the same values. The
    index of a sample determines its part, so that several processes use the same parts. For an extractor named
    `classifier`, the values are `is_classifier` and `is_classifier_std`; the latter is left out if `splits` is 1.

    Args:
        context: description of the samples, the extractor and the references.
        splits: number of parts.
    """

    higher_is_better = True
    split_of: Tensor  # (samples,), the split of each sample
    probability: Tensor  # (splits, K), sum of p(y|x) over the samples of each split
    negentropy: Tensor  # (splits,), sum of Σ p·log p over the samples of each split
    counts: Tensor  # (splits,), number of samples in each split

    def __init__(self, context: ScoreContext, splits: PositiveInt = DEFAULT_SPLITS) -> None:
        super().__init__(context)
        if context.num_logits is None:
            raise UserError(
                f"The extractor {context.extractor} gives no class logits, which the Inception Score needs: "
                "leave out the score `is`"
            )
        if splits > context.samples:
            raise ValueError(f"splits={splits} is more than the number of samples, {context.samples}")
        self.splits = splits
        self.spread = f"standard deviation over {splits} splits"
        self.register_buffer("split_of", assign_splits(context.samples, splits), persistent=False)
        shapes = {"probability": (splits, context.num_logits), "negentropy": (splits,), "counts": (splits,)}
        for name, shape in shapes.items():
            self.add_state(name, torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return the minimum: two samples for each part, because the score of a single sample is always 1."""
        splits = settings.get("splits", DEFAULT_SPLITS)
        return Minimum(samples=2 * splits, reason=f"2 in each of the splits ({splits=})")

    def protocol(self) -> dict[str, Any]:
        """Return the number of parts, if it is not the default one."""
        return {} if self.splits == DEFAULT_SPLITS else {"splits": self.splits}

    def update(self, logits: Tensor, indices: Tensor) -> None:
        """Add samples with class logits (N, K) and indices (N,)."""
        split = self.split_of[indices]
        log_p = logits.double().log_softmax(1)
        p = log_p.exp()
        self.probability.index_add_(0, split, p)
        self.negentropy.index_add_(0, split, (p * log_p).sum(1))
        self.counts.index_add_(0, split, torch.ones_like(split, dtype=torch.float64))

    def compute(self) -> dict[str, Tensor]:
        """Return the mean, and the standard deviation if there are several splits."""
        p = self.probability / self.counts[:, None]  # p(y) of each split (splits, K)
        mean_kl = self.negentropy / self.counts - (p * p.log().clamp_min(-1e300)).sum(1)
        scores = mean_kl.exp()
        values = {name: scores.mean() for name in self.value_names()}
        return values | {name: scores.std(correction=0) for name in self.spread_names()}

    def value_names(self) -> list[str]:
        """Return the name of the mean."""
        return [f"is_{self.context.extractor}"]

    def spread_names(self) -> dict[str, str]:
        """Return the name of the standard deviation, if there are several splits."""
        name = f"is_{self.context.extractor}"
        return {f"{name}_std": name} if self.splits > 1 else {}


def assign_splits(samples: int, splits: int) -> Tensor:
    """Return the split of each sample, int64 (samples,), with the same shuffle and parts as torch-fidelity."""
    position = np.empty(samples, dtype=np.int64)  # position of each sample after the shuffle
    position[np.random.RandomState(2020).permutation(samples)] = np.arange(samples)
    edges = [i * samples // splits for i in range(splits + 1)]
    return torch.from_numpy(np.searchsorted(edges, position, side="right") - 1)
