"""Save a grid of samples at every evaluation, always from the same latents."""

from collections.abc import Mapping

from pytorch_lightning import Callback, Trainer

from ganexp.data.images import ImageSet
from ganexp.loggers.pictures import log_picture
from ganexp.plots import grids
from ganexp.runs.run_directory import RunDirectory
from ganexp.sampling import EVALUATION_SEED, class_rows, grid_names, sample_grid
from ganexp.training.gan import GAN
from ganexp.types import PositiveInt


class SampleGrids(Callback):
    """Save samples/step-*.png after every evaluation, and send the picture to the loggers.

    Args:
        run_directory: directory of the run.
        image_sets: real images; `train` names the classes.
        rows: number of rows; a conditional GAN has one row for each class instead, up to 20 rows.
        columns: number of columns.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        image_sets: Mapping[str, ImageSet],
        rows: PositiveInt = 10,
        columns: PositiveInt = 10,
    ) -> None:
        self.run_directory, self.rows, self.columns = run_directory, rows, columns
        self.classes = image_sets["train"].classes if "train" in image_sets else []

    def on_validation_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Draw the grid."""
        images = sample_grid(pl_module, EVALUATION_SEED, self.rows, self.columns)
        names = grid_names(pl_module, self.classes, class_rows(pl_module, self.rows))
        picture = grids.image_grid(images, self.columns, names)
        grids.save_picture(picture, self.run_directory.samples / f"step-{pl_module.step:07d}.png")
        log_picture(trainer.loggers, "samples", picture, pl_module.step)
