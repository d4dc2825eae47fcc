"""The Kernel Inception Distance (Bińkowski et al. 2018)."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_fidelity.defaults import DEFAULTS

from ganexp.metrics.reference import Reference
from ganexp.metrics.score import Minimum, SampleScore

MAX_SUBSET_SIZE = 1000


class KID(SampleScore):
    """The unbiased squared maximum mean discrepancy (MMD) with a cubic kernel, averaged over subsets of the samples.

    The subsets are drawn from the first 10,000 samples. For an extractor named `classifier`, the mean over the subsets
    is `kid_classifier`, and the standard deviation is `kid_classifier_std`. For a further reference named `test`, the
    two values are `kid_classifier_test` and `kid_classifier_test_std`. If there are as many samples as real images, and
    at most 1,000, all subsets are the whole sets, and the standard deviation is left out.
    """

    higher_is_better = False
    spread = f"standard deviation over {DEFAULTS['kid_subsets']} subsets"

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return the minimum: two samples and two real images, because the estimator uses pairs of images."""
        return Minimum(samples=2, images=2)

    def update(self, features: Tensor, indices: Tensor) -> None:
        """Add samples with features (N, d) and indices (N,)."""
        self.keep(indices, features=features)

    def compute(self) -> dict[str, Tensor]:
        """Return the mean for each reference, and the standard deviation if there are different subsets."""
        (features,) = self.sorted_columns()
        values = {}
        for name, reference in self.context.named_references():
            mean, deviation = kernel_distance(features, reference.features)
            values[f"kid_{name}"] = torch.tensor(mean, dtype=torch.float64)
            if self._has_subsets(reference):
                values[f"kid_{name}_std"] = torch.tensor(deviation, dtype=torch.float64)
        return values

    def value_patterns(self) -> list[str]:
        """Return the pattern of the names of the means."""
        return ["kid_{}"]

    def spread_names(self) -> dict[str, str]:
        """Return the names of the standard deviations."""
        named = self.context.named_references()
        return {f"kid_{name}_std": f"kid_{name}" for name, reference in named if self._has_subsets(reference)}

    def _has_subsets(self, reference: Reference) -> bool:
        """Return whether a subset leaves out samples, or real images of `reference`, so that the subsets differ."""
        samples = min(self.context.samples, self.kept_samples or self.context.samples)
        return samples != reference.count or samples > MAX_SUBSET_SIZE


def kernel_distance(features: Tensor, real_features: Tensor) -> tuple[float, float]:
    """Return the mean and the standard deviation of KID between features (N, d) and (M, d) over 100 random subsets.

    The subsets are the same as in torch-fidelity. The kernels are computed on the device and in the precision of the
    features, and summed in double precision.
    """
    size = min(MAX_SUBSET_SIZE, len(features), len(real_features))
    random = np.random.RandomState(DEFAULTS["rng_seed"])
    values = []
    for _ in range(DEFAULTS["kid_subsets"]):
        subsets = [each[_subset(random, each, size)] for each in (features, real_features)]
        values.append(_squared_mmd(*subsets))
    result = torch.stack(values)
    return result.mean().item(), result.std(correction=0).item()


def _subset(random: np.random.RandomState, features: Tensor, size: int) -> Tensor:
    """Return the indices of `size` different random rows of the features, on the device of the features."""
    return torch.from_numpy(random.choice(len(features), size, replace=False)).to(features.device)


def _squared_mmd(x: Tensor, y: Tensor) -> Tensor:
    """Return a scalar: the unbiased squared MMD of two feature sets (n, d) with the kernel (<a, b>/d + 1)³.

    Source: Gretton et al. 2012, lemma 6, and Bińkowski et al. 2018, section 4.1, for the kernel.
    """
    n = len(x)
    within = [_kernel(each, each) for each in (x, y)]
    between = _kernel(x, y).sum(dtype=torch.float64)
    pairs = sum(each.sum(dtype=torch.float64) - each.diagonal().sum(dtype=torch.float64) for each in within)
    return pairs / (n * (n - 1)) - 2 * between / n**2


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3
