"""Save interpolations between latents at the end of a run."""

from collections.abc import Mapping

from pytorch_lightning import Callback, Trainer

from ganexp.data.images import ImageSet
from ganexp.loggers.pictures import log_picture
from ganexp.plots import grids
from ganexp.runs.run_directory import RunDirectory
from ganexp.sampling import EVALUATION_SEED, grid_names, interpolation_grid
from ganexp.training.gan import GAN
from ganexp.types import PositiveInt


class Interpolations(Callback):
    """Save samples/interpolation-linear.png and -spherical.png when training ends, and send them to the loggers.

    Args:
        run_directory: directory of the run.
        image_sets: real images; `train` names the classes.
        rows: number of rows, each with an interpolation between two latents.
        columns: number of images in a row.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        image_sets: Mapping[str, ImageSet],
        rows: PositiveInt = 10,
        columns: PositiveInt = 5,
    ) -> None:
        self.run_directory, self.rows, self.columns = run_directory, rows, columns
        self.classes = image_sets["train"].classes if "train" in image_sets else []

    def on_fit_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Draw both kinds of interpolation, also when a run is resumed that was killed after its last step."""
        names = grid_names(pl_module, self.classes, self.rows)
        for kind in ("linear", "spherical"):
            images = interpolation_grid(pl_module, EVALUATION_SEED, kind == "spherical", self.rows, self.columns)
            picture = grids.image_grid(images, self.columns, names)
            grids.save_picture(picture, self.run_directory.samples / f"interpolation-{kind}.png")
            log_picture(trainer.loggers, f"interpolation/{kind}", picture, pl_module.step)
