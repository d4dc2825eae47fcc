"""The Fréchet Inception Distance (Heusel et al. 2017).

The distance is computed from sums, so that the memory does not grow with the number of samples.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor

from ganexp.metrics.frechet import FEWEST_IMAGES, gaussian
from ganexp.metrics.score import Minimum, Score, ScoreContext

SampleCount = Annotated[int, Ge(2)]  # a covariance needs two samples


class FID(Score):
    """The Fréchet distance between the features of all samples and the features of each reference.

    For an extractor named `classifier`, the value for the first reference is `fid_classifier`, and for a further
    reference named `test` it is `fid_classifier_test`. If `sample_counts` includes 5000, the distances of the first
    5000 samples are `fid_classifier_5000` and `fid_classifier_test_5000`.

    Args:
        context: description of the samples, the extractor and the references.
        sample_counts: further numbers of samples. For each number n, the distances of the first n samples are computed
            too. Numbers that are not below the total number of samples are ignored.
    """

    higher_is_better = False
    plot_scale = "log"
    fewest_images = FEWEST_IMAGES
    edges: Tensor  # (parts - 1,), rank of the first sample of each part except the first part
    totals: Tensor  # (parts, d), sum of the features x of each part
    outers: Tensor  # (parts, d, d), sum of the outer products xxᵀ of each part
    counts: Tensor  # (parts,), number of samples in each part

    def __init__(self, context: ScoreContext, sample_counts: Sequence[SampleCount] = ()) -> None:
        super().__init__(context)
        self.fewer = sorted({count for count in sample_counts if count < context.samples})
        self.endings = [*(f"_{count}" for count in self.fewer), ""]
        # The numbers in `fewer` divide the samples into parts. For each number n, `compute` adds up the sums of the
        # parts that make up the first n samples.
        self.register_buffer("edges", torch.tensor(self.fewer, dtype=torch.int64), persistent=False)
        parts, dim = len(self.endings), context.feature_dim
        self.add_state("totals", torch.zeros(parts, dim, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("outers", torch.zeros(parts, dim, dim, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(parts, dtype=torch.int64), dist_reduce_fx="sum")

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return the minimum: two samples and two real images, because a covariance needs two images."""
        return Minimum(samples=2, images=2)

    def update(self, features: Tensor, indices: Tensor) -> None:
        """Add samples with features (N, d) and indices (N,)."""
        part_of_sample = torch.bucketize(self.context.ranks_of(indices), self.edges, right=True)
        for part in part_of_sample.unique().tolist():
            x = features[part_of_sample == part].double()
            self.totals[part] += x.sum(0)
            self.outers[part] += x.T @ x
            self.counts[part] += len(x)

    def compute(self) -> dict[str, Tensor]:
        """Return the distance to each reference, for each number of samples."""
        values = {}
        sums = zip(self.totals.cumsum(0), self.outers.cumsum(0), self.counts.cumsum(0), strict=True)
        for ending, (total, outer, count) in zip(self.endings, sums, strict=True):
            samples = gaussian(total, outer, count)
            for name, reference in self.context.named_references():
                values[f"fid_{name}{ending}"] = torch.tensor(reference.distance(*samples), dtype=torch.float64)
        return values

    def value_patterns(self) -> list[str]:
        """Return the patterns of the names of the distances, one pattern for each number of samples."""
        return [f"fid_{{}}{ending}" for ending in self.endings]

    def value_info(self) -> dict[str, dict[str, Any]]:
        """Return how to interpret each value. If a value uses only the first n samples, its entry `samples` is n."""
        info = super().value_info()
        for count in self.fewer:
            for name, _ in self.context.named_references():
                info[f"fid_{name}_{count}"]["samples"] = count
        return info
