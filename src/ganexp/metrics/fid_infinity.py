"""FID∞ (Chong and Forsyth 2020): the FID extrapolated to infinitely many samples."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganexp.metrics.frechet import fit_gaussian
from ganexp.metrics.score import Minimum, SampleScore, ScoreContext

SAMPLES_FOR_EACH_FEATURE = 20  # with fewer samples, the value is clearly too low
POINTS = 15  # number of subsets of the samples; a line is fitted to the FIDs of these subsets


class FIDInfinity(SampleScore):
    """The FID without the bias that a finite number of samples causes. This bias differs between generators.

    For an extractor named `classifier`, the value for the first reference is `fid_infinity_classifier`, and for a
    further reference named `test` it is `fid_infinity_classifier_test`. The features of all samples are kept in memory.

    The value is too low if there are few samples for each feature of the extractor, because the distances of small
    subsets do not lie on a line. For features with independent normal distributions, the value was 39 % too low with 5
    samples for each feature, and 9 % too low with 24 samples for each feature.
    """

    higher_is_better = False
    plot_scale = "log"
    kept_samples: ClassVar[int | None] = None

    def __init__(self, context: ScoreContext) -> None:
        super().__init__(context)
        self.fewest_images = SAMPLES_FOR_EACH_FEATURE * context.feature_dim

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return the minimum: two real images, and enough samples for all subsets to have different sizes."""
        return Minimum(samples=2 * POINTS, images=2)

    def compared_real_images(self) -> dict[str, int]:
        """Return an empty dictionary, because `fewest_images` is a number of generated images in this score."""
        return {}

    def update(self, features: Tensor, indices: Tensor) -> None:
        """Add samples with features (N, d) and indices (N,)."""
        self.keep(indices, features=features)

    def compute(self) -> dict[str, Tensor]:
        """Return the extrapolated distance to each reference."""
        (features,) = self.sorted_columns()
        values = {}
        for name, reference in self.context.named_references():
            value = extrapolate_distance(features, reference.distance)
            values[f"fid_infinity_{name}"] = torch.tensor(value, dtype=torch.float64)
        return values

    def value_patterns(self) -> list[str]:
        """Return the pattern of the names of the distances."""
        return ["fid_infinity_{}"]


def extrapolate_distance(
    features: Tensor, distance: Callable[[Tensor, Tensor], float], points: int = POINTS, seed: int = 0
) -> float:
    """Fit a line to the distances of subsets as a function of 1/size, and return the line's value at 1/size = 0.

    The sizes of the subsets are evenly spaced. The smallest size is N/10 or min(2d, N/2), whichever is larger: with
    fewer samples than features, the covariance is singular, and the distances do not lie on a line. The largest size
    is N.

    Args:
        features: features (N, d) of the samples.
        distance: function that takes a mean (d,) and a covariance (d, d), and returns their distance to a reference.
        points: number of subsets.
        seed: seed of the choice of subsets.
    """
    x, generator = features.double(), torch.Generator().manual_seed(seed)
    smallest = max(len(x) // 10, min(2 * x.shape[1], len(x) // 2), 2)
    counts = torch.linspace(smallest, len(x), points).long().tolist()
    distances = []
    for count in counts:
        subset = x[torch.randperm(len(x), generator=generator)[:count].to(x.device)]
        distances.append(distance(*fit_gaussian(subset)))
    return intercept([1 / count for count in counts], distances)


def intercept(x: list[float], y: list[float]) -> float:
    """Return the intercept of the least-squares line through the points (x, y)."""
    design = torch.stack([torch.ones(len(x)), torch.tensor(x)], 1).double()
    return torch.linalg.lstsq(design, torch.tensor(y).double()[:, None]).solution[0].item()
