"""Save a grid of samples at every evaluation, always from the same latents, and a grid of real images."""

from collections.abc import Mapping

import torch
from pytorch_lightning import Callback, Trainer
from torch import Tensor

from ganexp.data.images import ImageSet
from ganexp.loggers.pictures import log_picture
from ganexp.metrics.reference import random_indices
from ganexp.pixels import from_uint8
from ganexp.plots import grids
from ganexp.plots.animation import save_animation
from ganexp.plots.captions import titled
from ganexp.runs.run_directory import RunDirectory
from ganexp.runs.titles import run_title
from ganexp.sampling import EVALUATION_SEED, class_rows, grid_classes, grid_names, sample_grid
from ganexp.training.gan import GAN
from ganexp.types import GridSide


class SampleGrids(Callback):
    """Save samples/step-*.png after every evaluation, and send the picture to the loggers.

    The first evaluation also saves samples/real.png, real images in the same arrangement. At the end of the training,
    samples/real-and-generated.png shows real images beside the last samples, and samples/training.gif shows all grids
    of samples in turn.

    Args:
        run_directory: directory of the run.
        image_sets: real images; the names of the classes come from `train`.
        rows: number of rows; a conditional GAN has one row for each class instead, up to 20 rows.
        columns: number of columns.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        image_sets: Mapping[str, ImageSet],
        rows: GridSide = 10,
        columns: GridSide = 10,
    ) -> None:
        self.run_directory, self.rows, self.columns = run_directory, rows, columns
        self.images = image_sets.get("train")
        self.classes = [] if self.images is None else self.images.classes
        self._has_real_picture = False

    def on_validation_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Draw the grid of samples and, once, the grid of real images."""
        title, step = run_title(self.run_directory), pl_module.step
        if self.images is not None and not self._has_real_picture:
            self._has_real_picture = True
            picture = titled(self._real_grid(pl_module, self.images), title and f"{title} · real images")
            grids.save_picture(picture, self.run_directory.samples / "real.png")
            log_picture(trainer.loggers, "real_images", picture, step)
        picture = titled(self._sample_grid(pl_module), title and f"{title} · step {step:,}")
        grids.save_picture(picture, self.run_directory.samples / f"step-{step:07d}.png")
        log_picture(trainer.loggers, "samples", picture, step)

    def on_fit_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Show real images beside the last samples, and the samples of the whole training as an animation."""
        samples, title = self.run_directory.samples, run_title(self.run_directory)
        if self.images is not None:
            real = titled(self._real_grid(pl_module, self.images), "real images")
            generated = titled(self._sample_grid(pl_module), f"generated, step {pl_module.step:,}")
            grids.save_picture(titled(grids.beside(real, generated), title), samples / "real-and-generated.png")
        save_animation(sorted(samples.glob("step-*.png")), samples / "training.gif")

    def _sample_grid(self, gan: GAN) -> Tensor:
        """Return the samples from the fixed latents as a picture, uint8 (3, H, W)."""
        images = sample_grid(gan, EVALUATION_SEED, self.rows, self.columns)
        return grids.image_grid(images, self.columns, grid_names(gan, self.classes, class_rows(gan, self.rows)))

    def _real_grid(self, gan: GAN, image_set: ImageSet) -> Tensor:
        """Return random real images as a picture, uint8 (3, H, W).

        If the rows of the sample grid have classes, the rows of real images have the same classes.
        """
        rows = class_rows(gan, self.rows)
        chosen = random_indices(len(image_set), rows * self.columns)
        if classes := grid_classes(gan, rows):
            labels = image_set.known_labels.cpu()
            of_rows = [(labels == label).nonzero()[:, 0] for label in classes]
            chosen = torch.cat([_filled(of_row, self.columns) for of_row in of_rows])
        images = image_set.batch(chosen.clamp_min(0))
        images[(chosen < 0).to(images.device)] = 0  # the rest of a row, if its class has too few images
        return grids.image_grid(from_uint8(images), self.columns, grid_names(gan, self.classes, rows))


def _filled(indices: Tensor, count: int) -> Tensor:
    """Return `count` random entries of `indices` (N,); if there are fewer, the remaining entries are -1."""
    chosen = indices[random_indices(len(indices), count)] if len(indices) else indices
    return torch.cat([chosen, chosen.new_full((count - len(chosen),), -1)])
