"""Save interpolations between latents at the end of a run."""

from pytorch_lightning import Callback, Trainer

from ganexp.loggers.pictures import log_picture
from ganexp.plots import grids
from ganexp.runs.run_directory import RunDirectory
from ganexp.sampling import EVALUATION_SEED, interpolation_grid
from ganexp.training.gan import GAN
from ganexp.types import PositiveInt


class Interpolations(Callback):
    """Save samples/interpolation-linear.png and -spherical.png when training ends, and send them to the loggers.

    Args:
        run_directory: of the run.
        rows: number of rows, each between two latents.
        columns: number of images in a row.
    """

    def __init__(self, run_directory: RunDirectory, rows: PositiveInt = 10, columns: PositiveInt = 5) -> None:
        self.run_directory, self.rows, self.columns = run_directory, rows, columns

    def on_fit_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Draw both kinds; a run that was killed after its last step gets them too when it is resumed."""
        for kind in ("linear", "spherical"):
            images = interpolation_grid(pl_module, EVALUATION_SEED, kind == "spherical", self.rows, self.columns)
            picture = grids.image_grid(images, self.columns)
            grids.save_picture(picture, self.run_directory.samples / f"interpolation-{kind}.png")
            log_picture(trainer.loggers, f"interpolation/{kind}", picture, pl_module.step)
