"""`ganexp sample`: pictures from a checkpoint."""

import sys
from pathlib import Path

from omegaconf import DictConfig
from rich.progress import track

from ganexp import pictures
from ganexp.build import load_run
from ganexp.callbacks.evaluation import draw, interpolation_grid, sample_grid
from ganexp.errors import UserError


def sample(cfg: DictConfig) -> None:
    """Writes `n` PNGs, a grid of the first hundred, a grid with a class a row where there are classes, and two walks.

    Into a folder of their own: one with pictures in it is refused, so that nothing is overwritten.
    """
    if cfg.n < 1:
        raise UserError(f"n={cfg.n}: at least 1")
    _, gan, folder, facts = load_run(cfg.ckpt, cfg.accelerator)
    output = Path(cfg.output or folder.samples / f"drawn-step-{facts['step']:07d}-seed-{cfg.seed}")
    if output.exists() and any(output.iterdir()):
        raise UserError(f"{output} is not empty: give another output=FOLDER, or another seed.")
    digits = len(str(cfg.n - 1))
    batches = draw(gan, cfg.n, 100, cfg.seed)
    count, quiet = -(-cfg.n // 100), not sys.stdout.isatty()
    shown = track(batches, "drawing", total=count, transient=True, disable=quiet)
    for start, images in enumerate(shown):
        if start == 0:
            pictures.save(pictures.grid(images, pictures.square(len(images))), output / "grid.png")
        for index, image in enumerate(images):
            pictures.save_single(image, output / "images" / f"{100 * start + index:0{digits}d}.png")
    if gan.num_classes:
        pictures.save(sample_grid(gan, cfg.seed), output / "classes.png")
    for kind in ("linear", "spherical"):
        pictures.save(interpolation_grid(gan, cfg.seed, kind == "spherical"), output / f"interpolation-{kind}.png")
    print(f"{cfg.n} images, their grid and two interpolations in {output}")
