"""Save interpolations between latents at the end of a run, or at every evaluation."""

from collections.abc import Mapping

from pytorch_lightning import Callback, Trainer
from torch import Tensor

from ganexp.data.images import ImageSet
from ganexp.loggers.pictures import log_picture
from ganexp.plots import grids
from ganexp.plots.captions import titled
from ganexp.runs.run_directory import RunDirectory
from ganexp.runs.titles import run_title
from ganexp.sampling import (
    EVALUATION_SEED,
    class_rows,
    grid_names,
    interpolation_grid,
    interpolation_heads,
    sample_grid,
)
from ganexp.training.gan import GAN
from ganexp.types import GridSide


class Interpolations(Callback):
    """Save samples/interpolation-linear.png and -spherical.png when training ends, and send them to the loggers.

    Args:
        run_directory: directory of the run.
        image_sets: real images; the names of the classes come from `train`.
        rows: number of rows, each with an interpolation between two latents.
        columns: number of images in a row.
        at_evaluations: whether every evaluation also saves samples/interpolations/step-*.png, which shows samples, and
            linear interpolations beside the samples.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        image_sets: Mapping[str, ImageSet],
        rows: GridSide = 10,
        columns: GridSide = 5,
        at_evaluations: bool = False,
    ) -> None:
        self.run_directory, self.rows, self.columns = run_directory, rows, columns
        self.at_evaluations = at_evaluations
        self.classes = image_sets["train"].classes if "train" in image_sets else []

    def on_validation_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Draw samples and linear interpolations in one picture, if `at_evaluations` is true."""
        if not self.at_evaluations:
            return
        samples = sample_grid(pl_module, EVALUATION_SEED, self.rows, self.rows)
        names = grid_names(pl_module, self.classes, class_rows(pl_module, self.rows))
        picture = grids.beside(grids.image_grid(samples, self.rows, names), self._picture(pl_module, "linear"))
        path = self.run_directory.samples / "interpolations" / f"step-{pl_module.step:07d}.png"
        grids.save_picture(picture, path)
        log_picture(trainer.loggers, "samples_and_interpolation", picture, pl_module.step)

    def on_fit_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Draw both kinds of interpolation, also if the run was killed after its last step and is now resumed."""
        title = run_title(self.run_directory)
        for kind in ("linear", "spherical"):
            caption = f"{title} · {kind} interpolation · step {pl_module.step:,}"
            picture = titled(self._picture(pl_module, kind), title and caption)
            grids.save_picture(picture, self.run_directory.samples / f"interpolation-{kind}.png")
            log_picture(trainer.loggers, f"interpolation/{kind}", picture, pl_module.step)

    def _picture(self, gan: GAN, kind: str) -> Tensor:
        """Return the interpolations of one kind as a picture, uint8 (3, H, W)."""
        images = interpolation_grid(gan, EVALUATION_SEED, kind == "spherical", self.rows, self.columns)
        names = grid_names(gan, self.classes, self.rows)
        return grids.image_grid(images, self.columns, names, interpolation_heads(self.columns))
