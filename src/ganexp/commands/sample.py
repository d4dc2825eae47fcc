"""`ganexp sample`: draw images from a checkpoint."""

import io
import math
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from ganexp.build import LoadedRun, load_run
from ganexp.console import progress, say
from ganexp.errors import UserError
from ganexp.pixels import to_uint8
from ganexp.plots import grids
from ganexp.sampling import interpolation_grid, needs_batches, sample_grid, sample_images, sample_labels, square
from ganexp.training.gan import GAN

BATCH = 100
GRID_COLUMNS, INTERPOLATION_COLUMNS = 10, 5


def sample(cfg: DictConfig) -> None:
    """Save `n` images, a grid of the first hundred, two interpolations and, with classes, a grid with a class a row.

    Raises:
        UserError: settings that do not suit the generator, no checkpoint, or an output directory that is not empty.
    """
    loaded = load_run(cfg.ckpt, cfg.accelerator)
    gan = loaded.gan
    _check(cfg, gan)
    output = _output_directory(cfg, loaded)
    batches = sample_images(gan, cfg.n, BATCH, cfg.seed, cfg.truncation)
    shown = progress(batches, "drawing", total=math.ceil(cfg.n / BATCH))
    labels = sample_labels(gan.num_classes, torch.arange(cfg.n))
    WRITERS[cfg.format](_with_grid(shown, output), cfg.n, labels, output)
    if gan.num_classes:
        images = sample_grid(gan, cfg.seed, GRID_COLUMNS, GRID_COLUMNS)
        grids.save_picture(grids.image_grid(images, GRID_COLUMNS), output / "classes.png")
    for kind in ("linear", "spherical"):
        images = interpolation_grid(gan, cfg.seed, kind == "spherical", columns=INTERPOLATION_COLUMNS)
        grids.save_picture(grids.image_grid(images, INTERPOLATION_COLUMNS), output / f"interpolation-{kind}.png")
    say(f"{cfg.n} images ({cfg.format}), their grid and two interpolations in {output}")


def _check(cfg: DictConfig, gan: GAN) -> None:
    if cfg.truncation is not None and gan.latent.distribution != "normal":
        raise UserError(f"truncation={cfg.truncation}: needs normal latents, and these are {gan.latent.distribution}")
    if cfg.n % BATCH == 1 and needs_batches(gan):
        raise UserError(
            f"n={cfg.n}: the batch norm of this generator uses the batch's statistics, so no image can be drawn alone: "
            f"use n={cfg.n + 1}"
        )


def _output_directory(cfg: DictConfig, loaded: LoadedRun) -> Path:
    """Return an empty directory, so that nothing is overwritten."""
    name = f"drawn-step-{loaded.gan.step:07d}-seed-{cfg.seed}"
    name += f"-truncation-{cfg.truncation:g}" if cfg.truncation is not None else ""
    output = Path(cfg.output or loaded.run.samples / name)
    if output.exists() and any(output.iterdir()):
        raise UserError(f"{output} is not empty: give another output=DIRECTORY, or another seed.")
    return output


def _with_grid(batches: Iterator[Tensor], output: Path) -> Iterator[Tensor]:
    """Yield the batches as they are, and save a grid of the first one."""
    for index, images in enumerate(batches):
        if index == 0:
            grids.save_picture(grids.image_grid(images, square(len(images))), output / "grid.png")
        yield images


def _numbered(batches: Iterator[Tensor], count: int) -> Iterator[tuple[str, Tensor]]:
    """Yield each image with its file name."""
    digits = len(str(count - 1))
    images = (image for batch in batches for image in batch)
    return ((f"{index:0{digits}d}.png", image) for index, image in enumerate(images))


def _write_png(batches: Iterator[Tensor], count: int, labels: Tensor | None, output: Path) -> None:
    for name, image in _numbered(batches, count):
        grids.save_image(image, output / "images" / name)


def _write_zip(batches: Iterator[Tensor], count: int, labels: Tensor | None, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    with ZipFile(output / "images.zip", "w", ZIP_STORED) as archive:  # PNG is compressed already
        for name, image in _numbered(batches, count):
            buffer = io.BytesIO()
            grids.to_pil(image).save(buffer, "png")
            archive.writestr(name, buffer.getvalue())


def _write_npz(batches: Iterator[Tensor], count: int, labels: Tensor | None, output: Path) -> None:
    """Save arr_0, uint8 (N, H, W, C), as other samplers do, and with classes the labels (N,) as arr_1."""
    images = torch.cat([to_uint8(batch.cpu()).permute(0, 2, 3, 1) for batch in batches]).numpy()  # (N, H, W, C)
    np.savez_compressed(output / "images.npz", images, *([] if labels is None else [labels.numpy()]))


WRITERS = {"png": _write_png, "zip": _write_zip, "npz": _write_npz}
