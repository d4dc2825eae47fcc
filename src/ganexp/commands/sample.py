"""`ganexp sample`: pictures from a checkpoint."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import torch
from omegaconf import DictConfig
from rich.progress import track
from torch import Tensor

from ganexp.build import load_run
from ganexp.callbacks.evaluation import draw, drawn_labels, interpolation_grid, measured, sample_grid
from ganexp.errors import UserError
from ganexp.metrics.scores import to_uint8
from ganexp.plots import grids

BATCH = 100


def sample(cfg: DictConfig) -> None:
    """Writes `n` images, a grid of the first hundred, a grid with a class a row where there are classes, and two walks.

    Into a folder of their own: one with pictures in it is refused, so that nothing is overwritten.
    """
    if cfg.n < 1:
        raise UserError(f"n={cfg.n}: at least 1")
    if cfg.format not in WRITERS:
        raise UserError(f"format={cfg.format}: use {', '.join(WRITERS)}")
    _, gan, folder, facts = load_run(cfg.ckpt, cfg.accelerator)
    if cfg.truncation is not None and (cfg.truncation <= 0 or gan.latent.distribution != "normal"):
        raise UserError(f"truncation={cfg.truncation}: must be above 0, and the latents normal")
    if cfg.n % BATCH == 1 and "the batch's" in measured(gan)["batch_norm"]:
        raise UserError(f"n={cfg.n}: this generator norms by the batch, so no image is drawn alone: use n={cfg.n + 1}")
    name = f"drawn-step-{facts['step']:07d}-seed-{cfg.seed}"
    name += f"-truncation-{cfg.truncation:g}" if cfg.truncation is not None else ""
    output = Path(cfg.output or folder.samples / name)
    if output.exists() and any(output.iterdir()):
        raise UserError(f"{output} is not empty: give another output=FOLDER, or another seed.")
    batches = draw(gan, cfg.n, BATCH, cfg.seed, cfg.truncation)
    count, quiet = -(-cfg.n // BATCH), not sys.stdout.isatty()
    shown = track(batches, "drawing", total=count, transient=True, disable=quiet)
    WRITERS[cfg.format](_with_grid(shown, output), cfg.n, drawn_labels(gan, cfg.n), output)
    if gan.num_classes:
        grids.save(sample_grid(gan, cfg.seed), output / "classes.png")
    for kind in ("linear", "spherical"):
        grids.save(interpolation_grid(gan, cfg.seed, kind == "spherical"), output / f"interpolation-{kind}.png")
    print(f"{cfg.n} images ({cfg.format}), their grid and two interpolations in {output}")


def _with_grid(batches: Iterator[Tensor], output: Path) -> Iterator[Tensor]:
    """The batches as they come; of the first one a grid is saved."""
    for index, images in enumerate(batches):
        if index == 0:
            grids.save(grids.grid(images, grids.square(len(images))), output / "grid.png")
        yield images


def _numbered(batches: Iterator[Tensor], count: int) -> Iterator[tuple[str, Tensor]]:
    digits = len(str(count - 1))
    images = (image for batch in batches for image in batch)
    return ((f"{index:0{digits}d}.png", image) for index, image in enumerate(images))


def _write_png(batches: Iterator[Tensor], count: int, labels: Tensor | None, output: Path) -> None:
    for name, image in _numbered(batches, count):
        grids.save_single(image, output / "images" / name)


def _write_zip(batches: Iterator[Tensor], count: int, labels: Tensor | None, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    with ZipFile(output / "images.zip", "w", ZIP_STORED) as archive:  # PNG is compressed already
        for name, image in _numbered(batches, count):
            buffer = io.BytesIO()
            grids.to_pil(image).save(buffer, "png")
            archive.writestr(name, buffer.getvalue())


def _write_npz(batches: Iterator[Tensor], count: int, labels: Tensor | None, output: Path) -> None:
    """As the literature's samplers do: arr_0 uint8 (N, H, W, C), and the labels as arr_1 where there are classes."""
    images = torch.cat([to_uint8(batch.cpu()).permute(0, 2, 3, 1) for batch in batches]).numpy()  # (N, H, W, C)
    np.savez_compressed(output / "images.npz", images, *([] if labels is None else [labels.numpy()]))


WRITERS = {"png": _write_png, "zip": _write_zip, "npz": _write_npz}
