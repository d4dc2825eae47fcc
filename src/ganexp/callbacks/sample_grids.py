"""Save a grid of samples at every evaluation, always of the same latents."""

from pytorch_lightning import Callback, Trainer

from ganexp.loggers.pictures import log_picture
from ganexp.plots import grids
from ganexp.runs.run_directory import RunDirectory
from ganexp.sampling import EVALUATION_SEED, sample_grid
from ganexp.training.gan import GAN
from ganexp.types import PositiveInt


class SampleGrids(Callback):
    """Save samples/step-*.png after every evaluation, and send the picture to the loggers.

    Args:
        run_directory: of the run.
        rows: number of rows; a conditional GAN has one for each class instead, up to 20.
        columns: number of columns.
    """

    def __init__(self, run_directory: RunDirectory, rows: PositiveInt = 10, columns: PositiveInt = 10) -> None:
        self.run_directory, self.rows, self.columns = run_directory, rows, columns

    def on_validation_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Draw the grid."""
        images = sample_grid(pl_module, EVALUATION_SEED, self.rows, self.columns)
        picture = grids.image_grid(images, self.columns)
        grids.save_picture(picture, self.run_directory.samples / f"step-{pl_module.step:07d}.png")
        log_picture(trainer.loggers, "samples", picture, pl_module.step)
