"""A bootstrap interval of the FID, which shows how much the FID varies between sets of samples of one generator."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganexp.metrics.frechet import fit_gaussian, gaussian
from ganexp.metrics.score import Minimum, SampleScore

ENDS = ("low", "high")


class FIDInterval(SampleScore):
    """The ends of the 95 % interval of the FID, from 200 bootstrap replicates of the samples.

    The interval does not include the randomness of training, which can be measured only by runs with different seeds.
    For an extractor named `classifier`, the values for the first reference are `fid_classifier_low` and
    `fid_classifier_high`; every further reference has two values, too. The features of all samples are kept in memory.
    """

    higher_is_better = False
    kept_samples: ClassVar[int | None] = None
    spread = "95 % bootstrap interval"

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return the minimum: two samples and two real images, because a covariance needs two images."""
        return Minimum(samples=2, images=2)

    def update(self, features: Tensor, indices: Tensor) -> None:
        """Add samples with features (N, d) and indices (N,)."""
        self.keep(indices, features=features)

    def compute(self) -> dict[str, Tensor]:
        """Return the lower and the upper end of the interval for each reference."""
        (features,) = self.sorted_columns()
        values = {}
        for name, reference in self.context.named_references():
            low, high = bootstrap_interval(features, reference.distance)
            values[f"fid_{name}_low"] = torch.tensor(low, dtype=torch.float64)
            values[f"fid_{name}_high"] = torch.tensor(high, dtype=torch.float64)
        return values

    def value_names(self) -> list[str]:
        """Return no names, because all values are ends of intervals."""
        return []

    def spread_names(self) -> dict[str, str]:
        """Return, for the name of each end of an interval, the name of the FID that lies in this interval."""
        names = [name for name, _ in self.context.named_references()]
        return {f"fid_{name}_{end}": f"fid_{name}" for name in names for end in ENDS}

    def value_info(self) -> dict[str, dict[str, Any]]:
        """Return how to interpret each value.

        A value for a further reference also has `reference` and `row`. If the FID itself is not computed, the table of
        scores shows the value in this row.
        """
        info = super().value_info()
        for split, (name, _) in list(zip(self.context.references, self.context.named_references(), strict=True))[1:]:
            for end in ENDS:
                row = f"fid_{self.context.extractor}_{end}"
                info[f"fid_{name}_{end}"] |= {"reference": split, "row": row}
        return info


def bootstrap_interval(
    features: Tensor, distance: Callable[[Tensor, Tensor], float], replicates: int = 200, seed: int = 0
) -> tuple[float, float]:
    """Return the centred 95 % bootstrap interval of the Fréchet distance of features (N, d).

    The percentiles of the replicates are computed relative to the mean of the replicates and then shifted to the
    measured distance. Plain percentiles would be too high, because resampling increases the distance. The statistics of
    the reference are treated as exact.

    Args:
        features: features (N, d) of the samples.
        distance: function that takes a mean (d,) and a covariance (d, d), and returns their distance to a reference.
        replicates: number of resampled sets.
        seed: seed of the resampling.
    """
    x, generator = features.double(), torch.Generator().manual_seed(seed)
    measured = distance(*fit_gaussian(x))
    resampled = []
    for _ in range(replicates):
        drawn = torch.randint(len(x), (len(x),), generator=generator)
        weights = torch.bincount(drawn, minlength=len(x)).to(x)[:, None]  # how often each sample was drawn (N, 1)
        weighted = x * weights
        resampled.append(distance(*gaussian(weighted.sum(0), weighted.T @ x, len(x))))
    values = torch.tensor(resampled, dtype=torch.float64)
    ends = torch.tensor([0.025, 0.975], dtype=torch.float64)
    low, high = (values - values.mean()).quantile(ends).tolist()
    return measured + low, measured + high
