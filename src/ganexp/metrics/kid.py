"""The Kernel Inception Distance (Bińkowski et al. 2018)."""

from typing import Any

import torch
from torch import Tensor
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

from ganexp.metrics.score import Minimum, SampleScore

MAX_SUBSET_SIZE = 1000


class KID(SampleScore):
    """The unbiased squared MMD with a cubic kernel, as mean and standard deviation over subsets of the first samples.

    The values are `kid_classifier`, `kid_classifier_std`, `kid_classifier_test` and `kid_classifier_test_std`.
    """

    higher_is_better = False

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return two images of each kind, because the estimator uses pairs of images."""
        return Minimum(samples=2, images=2)

    def update(self, features: Tensor, indices: Tensor) -> None:
        """Add samples with features (N, d) and indices (N,)."""
        self.keep(indices, features=features)

    def compute(self) -> dict[str, Tensor]:
        """Return the mean and the standard deviation for each reference."""
        (features,) = self.sorted_columns()
        values = {}
        for name, reference in self.context.named_references():
            mean, deviation = kernel_distance(features, reference.features)
            values[f"kid_{name}"] = torch.tensor(mean, dtype=torch.float64)
            values[f"kid_{name}_std"] = torch.tensor(deviation, dtype=torch.float64)
        return values

    def value_names(self) -> list[str]:
        """Return the names of the means."""
        return [f"kid_{name}" for name, _ in self.context.named_references()]

    def spread_names(self) -> dict[str, str]:
        """Return the names of the standard deviations."""
        return {f"{name}_std": name for name in self.value_names()}


def kernel_distance(features: Tensor, real_features: Tensor) -> tuple[float, float]:
    """Return torch-fidelity's KID between features (N, d) and (M, d): mean and deviation over 100 random subsets."""
    size = min(MAX_SUBSET_SIZE, len(features), len(real_features))
    values = kid_features_to_metric(features, real_features, kid_subset_size=size, verbose=False)
    return values[KEY_METRIC_KID_MEAN], values[KEY_METRIC_KID_STD]
