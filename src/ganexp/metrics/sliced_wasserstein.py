"""The sliced Wasserstein distance between images (Karras et al. 2018, section 5), which needs no feature extractor.

Images are split into the levels of a Laplacian pyramid (Burt and Adelson 1983). Each level is described by small
neighbourhoods of pixels, and the distance of two sets of neighbourhoods is the mean of their Wasserstein distances
along random directions (Rabin et al. 2011). Small distances at the lowest resolution mean that both sets have similar
large structures; small distances at the highest resolution mean that noise and sharp edges are similar.
"""

from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from annotated_types import Ge, Le
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ganexp.autocast import without_autocast
from ganexp.metrics.reference import random_indices
from ganexp.metrics.score import Minimum, SampleScore, ScoreContext
from ganexp.pixels import to_uint8
from ganexp.types import PositiveInt

NEIGHBOURHOOD = 7  # height and width of a neighbourhood in pixels
LOWEST = 16  # a level is halved only if the next level then has at least this height, in pixels
BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)
SCALE = 1e3  # the tables of Karras et al. 2018 list 1000 times the distance
DIRECTIONS_AT_ONCE = 128  # as in the code of Karras et al. 2018; the projections on more directions need more memory
DEFAULTS = {"images": 2048, "neighbourhoods": 128, "directions": 512}  # other values are recorded in the protocol
PatchCount = Annotated[int, Ge(1), Le(10_000)]  # a level of 32 x 32 pixels has only 26 x 26 = 676 neighbourhoods
DirectionCount = Annotated[int, Ge(1), Le(100_000)]
SEED = 0  # seed of the neighbourhoods and directions, which are the same in all evaluations


class SlicedWasserstein(SampleScore):
    """1000 times the sliced Wasserstein distance between samples and real images; lower is better.

    For an extractor named `classifier` and images with 32 x 32 pixels, `swd_classifier` is the mean over the levels,
    and `swd_32_classifier` and `swd_16_classifier` are the distances at the two levels. The extractor is not used,
    except for its name. The distance between two sets from the same distribution is above 0, and is smaller for more
    images, so values are comparable only for equal numbers of images.

    Args:
        context: description of the samples, the extractor and the references.
        images: maximum number of images in each of the two sets.
        neighbourhoods: number of neighbourhoods that are drawn from each level of each image.
        directions: number of random directions.
    """

    higher_is_better = False
    plot_scale = "log"
    kept_samples: ClassVar[int | None] = None

    def __init__(
        self, context: ScoreContext, images: PositiveInt, neighbourhoods: PatchCount, directions: DirectionCount
    ) -> None:
        super().__init__(context)
        self.settings = {"images": images, "neighbourhoods": neighbourhoods, "directions": directions}
        self.neighbourhoods, self.directions = neighbourhoods, directions
        self.kept_samples = images  # type: ignore[misc]  # hides the attribute of the class

    @classmethod
    def minimum(cls, **settings: Any) -> Minimum:
        """Return the minimum: one sample and one real image."""
        return Minimum()

    def column_names(self) -> list[str]:
        """Return `images`."""
        return ["images"]

    def update(self, images: Tensor, indices: Tensor) -> None:
        """Add samples (N, C, H, W) in [-1, 1] with indices (N,)."""
        self.keep(indices, images=to_uint8(images))

    def compute(self) -> dict[str, Tensor]:
        """Return, for each reference, the mean distance over the levels and the distance at each level."""
        (samples,) = self.sorted_columns()
        values: dict[str, Tensor] = {}
        for split, (ending, _) in zip(self.context.references, self.context.named_references(), strict=True):
            with without_autocast(samples.device):
                levels = self._distances(samples, split)
            values[f"swd_{ending}"] = torch.stack(list(levels.values())).mean()
            values |= {f"swd_{height}_{ending}": distance for height, distance in levels.items()}
        return values

    def protocol(self) -> dict[str, Any]:
        """Return the settings that are not the default ones."""
        return {name: value for name, value in self.settings.items() if value != DEFAULTS[name]}

    def value_patterns(self) -> list[str]:
        """Return the patterns of the names of the mean distances and of the distances at each level."""
        (split, *_) = self.context.references
        heights = pyramid_heights(self._real_images(split, torch.tensor([0])).shape[2])
        return ["swd_{}", *(f"swd_{height}_{{}}" for height in heights)]

    def _distances(self, samples: Tensor, split: str) -> dict[int, Tensor]:
        """Return, for each level's height, the distance of samples, uint8 (N, C, H, W), to real images of a split."""
        reference = self.context.references[split]
        count = min(len(samples), reference.count)
        generator = torch.Generator().manual_seed(SEED)
        samples = samples[random_indices(len(samples), count)]
        real = self._real_images(split, random_indices(reference.count, count)).to(samples.device)
        distances = {}
        for ours, theirs in zip(laplacian_pyramid(samples), laplacian_pyramid(real), strict=True):
            first, second = (describe(level, self.neighbourhoods, generator) for level in (ours, theirs))
            distances[ours.shape[2]] = SCALE * sliced_distance(first, second, self.directions, generator).double()
        return distances

    def _real_images(self, split: str, indices: Tensor) -> Tensor:
        if self.context.real_images is None:
            raise ValueError("real_images=None: the sliced Wasserstein distance needs the real images themselves")
        return self.context.real_images(split, indices)


def pyramid_heights(height: int) -> list[int]:
    """Return the heights of a pyramid's levels: the full height, halved as long as the result is whole and at least 16.

    Example:
        >>> pyramid_heights(96), pyramid_heights(28)
        ([96, 48, 24], [28])
    """
    heights = [height]
    while heights[-1] % 2 == 0 and heights[-1] // 2 >= LOWEST:
        heights.append(heights[-1] // 2)
    return heights


def laplacian_pyramid(images: Tensor) -> list[Tensor]:
    """Return the levels of a Laplacian pyramid of square images (N, C, H, W), from full resolution downwards.

    The last level is the images at the lowest resolution. Every other level is the difference between the images at its
    resolution and an enlarged copy of the images at the next lower resolution.
    """
    current, levels = images.float(), []
    for _ in pyramid_heights(images.shape[2])[1:]:
        lower = _blur(current)[:, :, ::2, ::2]
        enlarged = torch.zeros_like(current)
        enlarged[:, :, ::2, ::2] = 4 * lower  # the factor keeps the mean: only a quarter of the pixels are set
        levels.append(current - _blur(enlarged))
        current = lower
    return [*levels, current]


def _blur(images: Tensor) -> Tensor:
    """Convolve each channel of images (N, C, H, W), mirrored at the border, with the 5x5 binomial filter."""
    row = torch.tensor(BINOMIAL, device=images.device) / sum(BINOMIAL)
    kernel = torch.outer(row, row)[None, None]
    flat = images.flatten(0, 1)[:, None]  # (N, C, H, W) -> (N·C, 1, H, W)
    return conv2d(pad(flat, (2, 2, 2, 2), mode="reflect"), kernel).view_as(images)


def describe(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return `count` random neighbourhoods of each of the images (N, C, H, W) as rows (N·count, C·7·7).

    The values of each channel are shifted and scaled to a mean of 0 and a standard deviation of 1 over all
    neighbourhoods. An image smaller than 7 x 7 pixels has only one neighbourhood, which is the whole image.
    """
    size = min(NEIGHBOURHOOD, *images.shape[2:])
    spans = [length - size + 1 for length in images.shape[2:]]
    shape = (len(images), count)
    y, x = (torch.randint(span, shape, generator=generator).to(images.device) for span in spans)
    windows = images.unfold(2, size, 1).unfold(3, size, 1)  # a view: (N, C, H', W', 7, 7)
    image = torch.arange(len(images), device=images.device)[:, None]
    rows = windows[image, :, y, x].flatten(0, 1)  # (N, count, C, 7, 7) -> (N·count, C, 7, 7)
    rows = rows - rows.mean((0, 2, 3), keepdim=True)
    deviation = rows.std((0, 2, 3), keepdim=True, correction=0)
    return (rows / deviation.clamp_min(1e-8)).flatten(1)


def sliced_distance(first: Tensor, second: Tensor, directions: int, generator: torch.Generator) -> Tensor:
    """Return the mean Wasserstein-1 distance between two sets of points (N, d) along random directions, a scalar."""
    total = first.new_zeros(())
    for start in range(0, directions, DIRECTIONS_AT_ONCE):
        count = min(DIRECTIONS_AT_ONCE, directions - start)
        direction = torch.randn(count, first.shape[1], generator=generator).to(first)
        direction = direction / direction.norm(dim=1, keepdim=True)
        ours, theirs = (_sort_rows(direction @ points.T) for points in (first, second))  # (count, N) each
        total += (ours - theirs).abs().mean(1).sum()
    return total / directions


def _sort_rows(values: Tensor) -> Tensor:
    """Sort the values of each row in ascending order. On a CPU, NumPy's sort is many times faster than torch's."""
    if values.device.type == "cpu":
        return torch.from_numpy(np.sort(values.numpy(), axis=1))
    return values.sort(1).values
