"""Run `ganexp sample`: draw images from a checkpoint."""

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from ganexp.commands.checkpoint_choice import choose_checkpoint
from ganexp.commands.class_names import class_directories, class_names, find_class
from ganexp.commands.traversals import traversal_picture
from ganexp.console import count, progress, say, short_path
from ganexp.errors import UserError
from ganexp.loaded_run import LoadedRun, load_run
from ganexp.pixels import to_uint8
from ganexp.plots import grids
from ganexp.plots.captions import titled
from ganexp.runs.run_directory import candidates
from ganexp.runs.titles import run_title
from ganexp.sampling import (
    class_rows,
    grid_names,
    interpolation_grid,
    interpolation_heads,
    labels_in_turn,
    needs_batches,
    sample_grid,
    sample_images,
    square,
)
from ganexp.training.gan import GAN

BATCH = 100
GRID_COLUMNS, INTERPOLATION_ROWS, INTERPOLATION_COLUMNS = 10, 10, 5
TRAVERSAL_COLUMNS = 7
IMAGES = ("images", "images.zip", "images.npz")  # where each format saves the images in the output directory


@dataclass(frozen=True)
class Classes:
    """The classes of the images to draw.

    Attributes:
        names: the name of each class, in the order of the class numbers; empty if the model has no classes.
        label: the number of the only class to draw; None if the images show all classes in turn.
        labels: the class number of each image, (n,); None if the model has no classes.
    """

    names: list[str]
    label: int | None
    labels: Tensor | None


def sample(cfg: DictConfig) -> None:
    """Save `n` images, a grid of the first 100, interpolations and traversals; if there are classes, also a class grid.

    The class grid has one class per row, and at most 20 rows. If `label` is given, all images show this class, and the
    class grid is left out.

    Raises:
        UserError: the settings do not fit the generator, the class is unknown, the checkpoint is missing, or the output
            directory is not empty.
    """
    loaded = load_run(choose_checkpoint(cfg.ckpt, cfg.step, cfg.epoch), cfg.accelerator)
    gan = loaded.gan
    _check(cfg, gan)
    classes = _classes(cfg, loaded)
    output = _output_directory(cfg, loaded, classes)
    batches = sample_images(gan, cfg.n, BATCH, cfg.seed, cfg.truncation, labels=classes.labels)
    shown = progress(batches, "drawing", total=math.ceil(cfg.n / BATCH))
    WRITERS[cfg.format](_with_grid(shown, output), cfg.n, classes, output)
    _save_class_grid(cfg, loaded, classes, output)
    _save_interpolations(cfg, loaded, classes, output)
    _save_traversals(cfg, loaded, classes, output)
    which = "" if classes.label is None else f" of class {classes.names[classes.label]} (label {classes.label})"
    images = f"{count(cfg.n, 'image')} ({cfg.format}){which}"
    say(f"{images}, their grid, two interpolations and traversals are in {short_path(output)}")


def drawn_images(directory: Path) -> Path | None:
    """Return the path of the images in an output directory of `sample`; None for any other directory."""
    if not all((directory / name).is_file() for name in ("grid.png", "traversals.png")):
        return None
    return next((path for name in IMAGES if (path := directory / name).exists()), None)


def _check(cfg: DictConfig, gan: GAN) -> None:
    if cfg.truncation is not None and gan.latent.distribution != "normal":
        raise UserError(
            f"truncation={cfg.truncation} needs normal latents; the latents of this run are {gan.latent.distribution}"
        )
    if cfg.n % BATCH == 1 and needs_batches(gan):
        raise UserError(
            f"n={cfg.n}: this generator's batch norm uses the batch's statistics, so a last batch of "
            f"a single image cannot be drawn: use n={cfg.n + 1}"
        )


def _classes(cfg: DictConfig, loaded: LoadedRun) -> Classes:
    """Return the classes to draw.

    Raises:
        UserError: the model has no class with the given name or number.
    """
    num_classes = loaded.gan.num_classes
    names = class_names(loaded.cfg.data.classes, num_classes) if num_classes else []
    if cfg.label is None:
        return Classes(names, None, labels_in_turn(cfg.n, num_classes))
    label = find_class(cfg.label, names)
    return Classes(names, label, torch.full((cfg.n,), label))


def _output_directory(cfg: DictConfig, loaded: LoadedRun, classes: Classes) -> Path:
    """Return the output directory: the given one, which must be empty, or a new one in the run's samples directory."""
    name = f"drawn-step-{loaded.gan.step:07d}-seed-{cfg.seed}"
    name += f"-truncation-{cfg.truncation:g}" if cfg.truncation is not None else ""
    name += f"-class-{class_directories(classes.names)[classes.label]}" if classes.label is not None else ""
    if cfg.output:
        output = Path(cfg.output).expanduser()
        if _has_files(output):
            raise UserError(f"{output} is not empty. Give another output=DIRECTORY, so that nothing is overwritten.")
        return output
    return next(path for path in candidates(loaded.run.samples / name) if not _has_files(path))


def _has_files(directory: Path) -> bool:
    return directory.exists() and any(directory.iterdir())


def _save_class_grid(cfg: DictConfig, loaded: LoadedRun, classes: Classes, output: Path) -> None:
    """Save classes.png, a grid with one class per row, if the generator has classes and `label` is not given."""
    if not classes.names or classes.label is not None:
        return
    gan = loaded.gan
    images = sample_grid(gan, cfg.seed, GRID_COLUMNS, GRID_COLUMNS)
    names = grid_names(gan, classes.names, class_rows(gan, GRID_COLUMNS))
    picture = grids.image_grid(images, GRID_COLUMNS, names)
    grids.save_picture(titled(picture, _title(cfg, loaded, "a class in each row")), output / "classes.png")


def _save_interpolations(cfg: DictConfig, loaded: LoadedRun, classes: Classes, output: Path) -> None:
    gan, rows, columns, label = loaded.gan, INTERPOLATION_ROWS, INTERPOLATION_COLUMNS, classes.label
    names, heads = grid_names(gan, classes.names, rows, label), interpolation_heads(columns)
    for kind in ("linear", "spherical"):
        images = interpolation_grid(gan, cfg.seed, kind == "spherical", rows, columns, label)
        picture = grids.image_grid(images, columns, names, heads)
        title = _title(cfg, loaded, f"{kind} interpolation")
        grids.save_picture(titled(picture, title), output / f"interpolation-{kind}.png")


def _save_traversals(cfg: DictConfig, loaded: LoadedRun, classes: Classes, output: Path) -> None:
    """Save traversals.png, in which each row changes one component of a latent."""
    picture = traversal_picture(loaded.gan, cfg.seed, INTERPOLATION_ROWS, TRAVERSAL_COLUMNS, classes.label)
    title = _title(cfg, loaded, "components of one latent that change the image most")
    grids.save_picture(titled(picture, title), output / "traversals.png")


def _title(cfg: DictConfig, loaded: LoadedRun, content: str) -> str:
    """Return the title of a picture: run, step, what the picture shows, and seed; "" if the run has no title."""
    run = run_title(loaded.run)
    return run and f"{run} · step {loaded.gan.step:,} · {content}, latents of seed {cfg.seed}"


def _with_grid(batches: Iterator[Tensor], output: Path) -> Iterator[Tensor]:
    """Yield the batches unchanged, and save a grid of the first batch."""
    for index, images in enumerate(batches):
        if index == 0:
            grids.save_picture(grids.image_grid(images, square(len(images))), output / "grid.png")
        yield images


def _file_names(count: int, classes: Classes) -> Sequence[str]:
    """Return the file name of each image: its number and, if it has a class, the directory of this class."""
    digits = len(str(count - 1))
    names = [f"{index:0{digits}d}.png" for index in range(count)]
    if classes.labels is None:
        return names
    directories = class_directories(classes.names)
    return [f"{directories[label]}/{name}" for label, name in zip(classes.labels.tolist(), names, strict=True)]


def _named(batches: Iterator[Tensor], count: int, classes: Classes) -> Iterator[tuple[str, Tensor]]:
    """Yield each image with its file name."""
    images = (image for batch in batches for image in batch)
    return zip(_file_names(count, classes), images, strict=True)


def _write_png(batches: Iterator[Tensor], count: int, classes: Classes, output: Path) -> None:
    for name, image in _named(batches, count, classes):
        grids.save_image(image, output / "images" / name)


def _write_zip(batches: Iterator[Tensor], count: int, classes: Classes, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    with ZipFile(output / "images.zip", "w", ZIP_STORED) as archive:  # PNG is compressed already
        for name, image in _named(batches, count, classes):
            buffer = io.BytesIO()
            grids.to_pil(image).save(buffer, "png")
            archive.writestr(name, buffer.getvalue())


def _write_npz(batches: Iterator[Tensor], count: int, classes: Classes, output: Path) -> None:
    """Save the images as `arr_0`, uint8 (N, H, W, C).

    If there are classes, the file also has the labels (N,) as `arr_1`, and the name of each label as `classes`.
    """
    images = torch.cat([to_uint8(batch.cpu()).permute(0, 2, 3, 1) for batch in batches]).numpy()  # (N, H, W, C)
    arrays: dict[str, Any] = {"arr_0": images}
    if classes.labels is not None:
        arrays |= {"arr_1": classes.labels.numpy(), "classes": np.array(classes.names)}
    np.savez_compressed(output / "images.npz", **arrays)


WRITERS = {"png": _write_png, "zip": _write_zip, "npz": _write_npz}
