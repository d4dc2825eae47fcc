"""Draw images from a GAN for scores and pictures: fixed latents, truncation, grids and interpolations.

Sampling does not affect training: latents come from a separate random generator, the random state that the networks
change is restored, and networks return to their previous mode.
"""

import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganexp.autocast import without_autocast
from ganexp.errors import UserError
from ganexp.models.latent import Latent
from ganexp.pixels import PixelRange, to_display_range
from ganexp.random_numbers import separate_random_numbers
from ganexp.tf32 import without_tf32

EVALUATION_SEED = 10_000  # seed of the latents for scores and pictures during training
CHUNK = 10_000  # latents that are drawn together
MAX_CLASS_ROWS = 20  # the maximum number of rows of a grid that has one class in each row


class SampledGAN(Protocol):
    """The part of a GAN that sampling uses, see `training/gan.py`."""

    latent: Latent
    num_classes: int
    pixel_range: PixelRange

    @property
    def device(self) -> torch.device:
        """The device of the networks."""

    @property
    def averaged_generator(self) -> nn.Module | None:
        """The moving average of the generator, if there is one."""

    @property
    def sampling_generator(self) -> nn.Module:
        """The generator to draw samples from."""


@contextmanager
def sampling_mode(network: nn.Module) -> Iterator[nn.Module]:
    """Put `network` into eval mode without gradients, and restore the mode of each of its modules afterwards."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            yield network
    finally:
        for module, mode in modes.items():
            module.training = mode


class FixedLatents:
    """Random latents, selected by index. On every machine, a latent depends only on the seed and its index.

    Latents are drawn in chunks on the CPU, and only the last chunk is kept, so that memory use is constant.

    Args:
        latent: distribution from which latents are drawn.
        seed: seed of the random generator.
        truncation: threshold beyond which values are drawn again; see `truncate`.
    """

    def __init__(self, latent: Latent, seed: int, truncation: float | None = None) -> None:
        self.latent, self.seed, self.truncation = latent, seed, truncation
        self._next_chunk = 0
        self._chunk: Tensor  # the chunk with the number _next_chunk - 1
        self._generator = torch.Generator()

    def __getitem__(self, indices: Tensor) -> Tensor:
        """Return the latents (N, d) at the given `indices` (N,)."""
        chunks = indices // CHUNK
        latents = torch.empty(len(indices), self.latent.dim)
        for chunk in chunks.unique().tolist():
            in_chunk = chunks == chunk
            latents[in_chunk] = self._draw_chunk(chunk)[indices[in_chunk] % CHUNK]
        return latents

    def _draw_chunk(self, number: int) -> Tensor:
        """Return chunk `number`. Chunks are drawn in order; for an earlier chunk, drawing restarts with chunk 0."""
        if number == self._next_chunk - 1:
            return self._chunk
        if number < self._next_chunk:
            self._next_chunk = 0
        if self._next_chunk == 0:
            self._generator.manual_seed(self.seed)
        while self._next_chunk <= number:
            self._chunk = self.latent.sample(CHUNK, generator=self._generator)
            if self.truncation is not None:
                self._chunk = truncate(self._chunk, self.truncation, self._generator)
            self._next_chunk += 1
        return self._chunk


def truncate(z: Tensor, threshold: float, generator: torch.Generator) -> Tensor:
    """Return normal latents (N, d) with every value beyond ±threshold drawn again (Brock et al. 2019, section 3.1)."""
    while (outside := z.abs() > threshold).any():
        z[outside] = torch.randn(int(outside.sum()), generator=generator)
    return z


def sample_labels(count: int, shares: Sequence[float]) -> Tensor | None:
    """Return int64 labels (count,) in which the classes have the given shares; None if `shares` is empty.

    Each class gets its share of the `count` images, rounded so that the numbers add up to `count` (largest remainder
    method). The images of each class are spread evenly, so that the first n images, too, have nearly the given shares.
    If the shares are equal, the labels cycle through the classes.

    Args:
        count: number of images.
        shares: share of each class, such as its number of real images; the shares can have any sum.
    """
    if not shares:
        return None
    counts = torch.tensor(apportion(count, shares))
    labels = torch.arange(len(counts)).repeat_interleave(counts)
    place_in_class = torch.cat([torch.arange(n) for n in counts.tolist()]).double()
    places = (2 * place_in_class + 1) / (2 * counts[labels])  # in (0, 1), the same distance apart within a class
    return labels[places.argsort(stable=True)]


def apportion(count: int, shares: Sequence[float]) -> list[int]:
    """Return whole numbers that have the given shares and add up to `count`, by the largest remainder method."""
    total = sum(map(Fraction, shares))
    quotas = [Fraction(share) * count / total for share in shares]
    counts = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(len(shares)), key=lambda index: counts[index] - quotas[index])
    for index in by_remainder[: count - sum(counts)]:
        counts[index] += 1
    return counts


def labels_in_turn(count: int, num_classes: int) -> Tensor | None:
    """Return labels (count,) that cycle through the classes; None if num_classes is 0."""
    return sample_labels(count, [1] * num_classes)


def generate(gan: SampledGAN, z: Tensor, labels: Tensor | None) -> Tensor:
    """Return images (N, C, H, W) in [-1, 1] for latents (N, d) and labels (N,) or None, on the device of the GAN.

    If the generator draws random numbers itself, such as StyleGAN's noise, they depend only on the latents.
    """
    return to_display_range(_generate_raw(gan, z, labels), gan.pixel_range)


def _generate_raw(gan: SampledGAN, z: Tensor, labels: Tensor | None) -> Tensor:
    labels = None if labels is None else labels.to(gan.device)
    half_precision_off = without_autocast(gan.device)
    own_numbers = separate_random_numbers(zlib.crc32(z.cpu().numpy().tobytes()), gan.device)
    with sampling_mode(gan.sampling_generator) as network, half_precision_off, without_tf32(), own_numbers:
        images = network(z.to(gan.device), labels)
    if getattr(images, "ndim", None) != 4:
        found = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise UserError(f"model.generator: must return images of shape (N, C, H, W), and returned {found}.")
    return images


def sample_images(
    gan: SampledGAN,
    count: int,
    batch_size: int,
    seed: int,
    truncation: float | None = None,
    as_discriminator_sees: bool = False,
    labels: Tensor | None = None,
) -> Iterator[Tensor]:
    """Yield `count` images in batches (N, C, H, W), where N is at most `batch_size`.

    Args:
        gan: the GAN to sample from; its averaged generator is used if there is one.
        count: number of images.
        batch_size: number of images that are generated together.
        seed: seed of the latents.
        truncation: threshold beyond which values of latents are drawn again, see `truncate`; None: no threshold.
        as_discriminator_sees: whether to yield the unchanged output of the generator instead of images in [-1, 1].
        labels: the class (count,) of each image; None cycles through the classes.
    """
    latents = FixedLatents(gan.latent, seed, truncation)
    labels = labels_in_turn(count, gan.num_classes) if labels is None else labels
    draw = _generate_raw if as_discriminator_sees else generate
    for indices in torch.arange(count).split(batch_size):
        yield draw(gan, latents[indices], None if labels is None else labels[indices])


def sampling_protocol(gan: SampledGAN) -> dict[str, str]:
    """Return which weights and batch norm statistics are used to draw samples, as entries of the scores' protocol."""
    norms = [module for module in gan.sampling_generator.modules() if isinstance(module, _BatchNorm)]
    kinds = {"the batch's statistics" if norm.running_mean is None else "running statistics" for norm in norms}
    weights = "raw" if gan.averaged_generator is None else "averaged (EMA)"
    return {"weights": weights, "batch_norm": " and ".join(sorted(kinds)) or "none"}


def drawn_together(gan: SampledGAN, batch_size: int) -> int | None:
    """Return `batch_size` if the samples depend on it because of the generator's batch norm; otherwise None."""
    return batch_size if needs_batches(gan) else None


def needs_batches(gan: SampledGAN) -> bool:
    """Return whether an image depends on the other images of its batch, so that single images cannot be drawn."""
    norms = (module for module in gan.sampling_generator.modules() if isinstance(module, _BatchNorm))
    return any(norm.running_mean is None for norm in norms)


def grid_classes(gan: SampledGAN, rows: int, label: int | None = None) -> list[int]:
    """Return the class of each row of a grid; an empty list if the GAN has no classes.

    Every row has the class `label`; if `label` is None, the rows have the classes in turn.
    """
    if not gan.num_classes:
        return []
    return [row % gan.num_classes if label is None else label for row in range(rows)]


def grid_names(gan: SampledGAN, classes: Sequence[str], rows: int, label: int | None = None) -> list[str]:
    """Return the class name of each row of a grid, see `grid_classes`; empty if the names are not known."""
    return [classes[number] for number in grid_classes(gan, rows, label)] if classes else []


def class_rows(gan: SampledGAN, rows: int) -> int:
    """Return the number of rows of a grid: one for each class, but at most 20; `rows` if there are no classes."""
    return min(gan.num_classes, MAX_CLASS_ROWS) or rows


def sample_grid(gan: SampledGAN, seed: int, rows: int, columns: int) -> Tensor:
    """Return images (R · columns, C, H, W) in [-1, 1] from fixed latents; `class_rows` gives the number of rows R.

    If the GAN has classes, row r shows class r.
    """
    rows = class_rows(gan, rows)
    z = FixedLatents(gan.latent, seed)[torch.arange(rows * columns)]
    return generate(gan, z, _row_labels(grid_classes(gan, rows), columns))


def interpolation_grid(
    gan: SampledGAN, seed: int, spherical: bool, rows: int = 10, columns: int = 5, label: int | None = None
) -> Tensor:
    """Return images (rows · columns, C, H, W) in [-1, 1], with an interpolation between two latents in each row.

    Row r goes from the latent with the number `rows` + r to the latent with the number r. If the GAN has classes,
    `grid_classes` gives the class of each row.
    """
    z = FixedLatents(gan.latent, seed)[torch.arange(2 * rows)]
    between = interpolate(z[rows:], z[:rows], columns, spherical).flatten(0, 1)  # (rows · columns, d)
    return generate(gan, between, _row_labels(grid_classes(gan, rows, label), columns))


def interpolation_heads(columns: int) -> list[str]:
    """Return the text above each column of interpolations: the latents at both ends, and percentages between them."""
    between = [f"{100 * column / (columns - 1):.0f} %" for column in range(1, columns - 1)]
    return ["latent A", *between, "latent B"][:columns]


def _row_labels(classes: list[int], columns: int) -> Tensor | None:
    return torch.tensor(classes).repeat_interleave(columns) if classes else None


def interpolate(start: Tensor, end: Tensor, columns: int, spherical: bool = False) -> Tensor:
    """Return latents (R, columns, d) from `start` (R, d) in the first column to `end` (R, d) in the last column.

    Args:
        start: latents at which the rows begin.
        end: latents at which the rows end.
        columns: number of latents in a row.
        spherical: whether to interpolate on the great circle, which keeps the length of a normal latent (White 2016),
            instead of linearly. Two latents on one line through the origin have no such circle, and are interpolated
            linearly. This is always the case for latents with a single component.
    """
    t = torch.linspace(0, 1, columns)[None, :, None]  # (1, columns, 1)
    a, b = start[:, None], end[:, None]  # (R, 1, d)
    linear = a + (b - a) * t
    if not spherical:
        return linear
    cosine = torch.cosine_similarity(a, b, dim=-1).clamp(-1, 1)[..., None]
    angle = cosine.acos()
    on_circle = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
    # the cosine is rounded to float32, so that the sine may be up to about 6e-4 for two latents on one line
    return torch.where(angle.sin() < 1e-3, linear, on_circle)


def square(count: int) -> int:
    """Return the number of columns that makes a grid of `count` images nearly square."""
    return math.ceil(math.sqrt(count))
