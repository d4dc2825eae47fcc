"""The Inception Score (Salimans et al. 2016) from sums: memory grows with the classes, not with the samples."""

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric


class InceptionScore(Metric):
    """exp(E KL(p(y|x) ‖ p(y))) over `splits` random parts of `samples` images; mean and spread over the parts.

    The parts are torch-fidelity's (its seed, its shuffle), so that the two agree; `samples` must be known beforehand.

    Args:
        classes: of the logits.
        samples: that will be scored, all of them.
        splits: parts.
    """

    full_state_update = False

    def __init__(self, classes: int, samples: int, splits: int = 10) -> None:
        super().__init__()
        self.samples, self.splits = samples, splits
        place = np.empty(samples, dtype=np.int64)
        place[np.random.RandomState(2020).permutation(samples)] = np.arange(samples)
        edges = [i * samples // splits for i in range(splits + 1)]
        self.part_of = torch.from_numpy(np.searchsorted(edges, place, side="right") - 1)  # of each sample (N,)
        sums = {"probability": (splits, classes), "negentropy": (splits,), "count": (splits,)}
        for name, shape in sums.items():
            self.add_state(name, torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")
        self.seen = 0

    def update(self, logits: Tensor) -> None:
        """The next images' logits (N, classes)."""
        part = self.part_of[self.seen : self.seen + len(logits)].to(logits.device)
        if len(part) < len(logits):
            raise ValueError(f"more than the {self.samples} samples that were announced")
        self.seen += len(logits)
        log_p = logits.double().log_softmax(1)
        p = log_p.exp()
        self.probability.index_add_(0, part, p)
        self.negentropy.index_add_(0, part, (p * log_p).sum(1))
        self.count.index_add_(0, part, torch.ones_like(part, dtype=torch.float64))

    def compute(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation over the parts, scalars; the deviation of one part is 0."""
        if self.seen != self.samples:
            raise ValueError(f"{self.seen} of the {self.samples} samples that were announced")
        p = self.probability / self.count[:, None]  # p(y) (splits, classes)
        mean_kl = self.negentropy / self.count - (p * p.log().clamp_min(-1e300)).sum(1)
        scores = mean_kl.exp()
        return scores.mean(), scores.std(correction=0)

    def reset(self) -> None:
        super().reset()
        self.seen = 0
