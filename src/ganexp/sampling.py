"""Draw images from a GAN for scores and pictures: fixed latents, truncation, grids and interpolations.

Nothing here touches training: latents come from a generator of their own, and networks are put back into the mode that
they were in.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganexp.models.latent import Latent
from ganexp.pixels import PixelRange, to_display_range

EVALUATION_SEED = 10_000  # of the latents by which checkpoints are chosen and pictures drawn during training
CHUNK = 10_000  # latents that are drawn together


class SampledGAN(Protocol):
    """What sampling needs to know of a GAN, see `training/gan.py`."""

    latent: Latent
    num_classes: int
    pixel_range: PixelRange
    averaged_generator: nn.Module | None

    @property
    def device(self) -> torch.device:
        """The device of its networks."""

    @property
    def sampling_generator(self) -> nn.Module:
        """The generator to sample from."""


@contextmanager
def sampling_mode(network: nn.Module) -> Iterator[nn.Module]:
    """Put `network` into eval mode without gradients; put back the mode of each of its modules afterwards."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            yield network
    finally:
        for module, mode in modes.items():
            module.training = mode


class FixedLatents:
    """Latents by index: the latent of an index depends on the seed and the index alone, on every machine.

    Latents are drawn in chunks on the CPU, and the last chunk is kept, so that memory does not grow with their number.

    Args:
        latent: draws latents from a `torch.Generator`.
        seed: of the generator.
        truncation: threshold beyond which values are drawn again; see `truncate`.
    """

    def __init__(self, latent: Latent, seed: int, truncation: float | None = None) -> None:
        self.latent, self.seed, self.truncation = latent, seed, truncation
        self._next_chunk = 0
        self._generator = torch.Generator()

    def __getitem__(self, indices: Tensor) -> Tensor:
        """Return the latents (N, d) of `indices` (N,)."""
        chunks = indices // CHUNK
        latents = torch.empty(len(indices), self.latent.dim)
        for chunk in chunks.unique().tolist():
            in_chunk = chunks == chunk
            latents[in_chunk] = self._draw_chunk(chunk)[indices[in_chunk] % CHUNK]
        return latents

    def _draw_chunk(self, number: int) -> Tensor:
        """Return chunk `number`; chunks are drawn one after the other, so an earlier one starts from the beginning."""
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
    """Return normal latents (N, d) with every value beyond ±threshold drawn again. Brock et al. 2019, section 3.1."""
    while (outside := z.abs() > threshold).any():
        z[outside] = torch.randn(int(outside.sum()), generator=generator)
    return z


def sample_labels(num_classes: int, indices: Tensor) -> Tensor | None:
    """Return the labels (N,) that images are drawn for: the classes in turn by index; None without classes."""
    return indices % num_classes if num_classes else None


def generate(gan: SampledGAN, z: Tensor, labels: Tensor | None) -> Tensor:
    """Return images (N, C, H, W) in [-1, 1] of latents (N, d) and labels (N,) or None, on the device of the GAN."""
    return to_display_range(_generate_raw(gan, z, labels), gan.pixel_range)


def _generate_raw(gan: SampledGAN, z: Tensor, labels: Tensor | None) -> Tensor:
    labels = None if labels is None else labels.to(gan.device)
    with sampling_mode(gan.sampling_generator) as network, torch.autocast(gan.device.type, enabled=False):
        return network(z.to(gan.device), labels)


def sample_images(
    gan: SampledGAN,
    count: int,
    batch_size: int,
    seed: int,
    truncation: float | None = None,
    as_discriminator_sees: bool = False,
) -> Iterator[Tensor]:
    """Yield `count` images in batches (at most batch_size, C, H, W).

    Args:
        gan: what to sample from; its averaged generator, where it has one.
        count: number of images.
        batch_size: of images that are generated together.
        seed: of the latents.
        truncation: see `truncate`.
        as_discriminator_sees: leave the images as the generator returns them, instead of in [-1, 1].
    """
    latents = FixedLatents(gan.latent, seed, truncation)
    for indices in torch.arange(count).split(batch_size):
        labels = sample_labels(gan.num_classes, indices)
        draw = _generate_raw if as_discriminator_sees else generate
        yield draw(gan, latents[indices], labels)


def sampling_protocol(gan: SampledGAN) -> dict[str, str]:
    """Return what images are sampled with, for those who read the scores: weights, and batch norm's statistics."""
    norms = [module for module in gan.sampling_generator.modules() if isinstance(module, _BatchNorm)]
    kinds = {"the batch's statistics" if norm.running_mean is None else "running statistics" for norm in norms}
    weights = "raw" if gan.averaged_generator is None else "averaged (EMA)"
    return {"weights": weights, "batch_norm": " and ".join(sorted(kinds)) or "none"}


def needs_batches(gan: SampledGAN) -> bool:
    """Return whether an image depends on the others of its batch, so that none can be drawn alone."""
    norms = (module for module in gan.sampling_generator.modules() if isinstance(module, _BatchNorm))
    return any(norm.running_mean is None for norm in norms)


def sample_grid(gan: SampledGAN, seed: int, rows: int, columns: int) -> Tensor:
    """Return images (rows · columns, C, H, W) in [-1, 1] of fixed latents; with classes, row r is of class r.

    A conditional GAN has a row for each class, up to 20.
    """
    rows = min(gan.num_classes, 20) or rows
    z = FixedLatents(gan.latent, seed)[torch.arange(rows * columns)]
    labels = torch.arange(rows).repeat_interleave(columns) if gan.num_classes else None
    return generate(gan, z, labels)


def interpolation_grid(gan: SampledGAN, seed: int, spherical: bool, rows: int = 10, columns: int = 5) -> Tensor:
    """Return images (rows · columns, C, H, W) in [-1, 1] between two latents a row; with classes, row r is of class r.

    Row r goes from latent rows + r to latent r.
    """
    z = FixedLatents(gan.latent, seed)[torch.arange(2 * rows)]
    between = interpolate(z[rows:], z[:rows], columns, spherical).flatten(0, 1)  # (rows · columns, d)
    labels = None
    if gan.num_classes:
        labels = (torch.arange(rows) % gan.num_classes).repeat_interleave(columns)
    return generate(gan, between, labels)


def interpolate(start: Tensor, end: Tensor, columns: int, spherical: bool = False) -> Tensor:
    """Return latents (R, columns, d) from `start` to `end`, both (R, d); the first column is `start`, the last `end`.

    Args:
        start: latents at which the rows begin.
        end: latents at which they end.
        columns: number of latents in a row.
        spherical: interpolate on the great circle, which keeps the length of a normal latent (White 2016), instead of
            linearly.

    Raises:
        ValueError: for a spherical interpolation between two latents on one line through the origin.
    """
    t = torch.linspace(0, 1, columns)[None, :, None]  # (1, columns, 1)
    a, b = start[:, None], end[:, None]  # (R, 1, d)
    if not spherical:
        return a + (b - a) * t
    cosine = torch.cosine_similarity(a, b, dim=-1).clamp(-1, 1)[..., None]
    angle = cosine.acos()
    if (angle.sin() < 1e-6).any():
        raise ValueError("a spherical interpolation needs two latents that are not on one line through the origin")
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()


def square(count: int) -> int:
    """Return the number of columns that makes a grid of `count` images nearly square."""
    return math.ceil(math.sqrt(count))
