"""Draw curves.png after every evaluation."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from pytorch_lightning import Callback, LightningModule, Trainer

from ganexp.plots.curves import plot_curves
from ganexp.plots.grids import save_figure
from ganexp.runs.run_directory import RunDirectory
from ganexp.runs.titles import run_title


class Curves(Callback):
    """Draw the losses and scores in metrics.jsonl as curves over the steps.

    Args:
        run_directory: directory of the run.
    """

    def __init__(self, run_directory: RunDirectory) -> None:
        self.run_directory = run_directory

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the curves up to this evaluation."""
        with young_garbage_freed():
            self._draw()

    def _draw(self) -> None:
        metadata = self.run_directory.metadata()
        title = run_title(self.run_directory) or self.run_directory.path.name
        figure = plot_curves(self.run_directory.points(), metadata.get("score_info", {}), title)
        save_figure(figure, self.run_directory.curves)


@contextmanager
def young_garbage_freed() -> Iterator[None]:
    """As soon as the block ends, free the memory of the figures that the block has drawn.

    The objects of a figure refer to each other, so that only the garbage collector can free them. The collector rarely
    examines objects again that have survived a collection, and figures of several megabytes would add up until then.
    Therefore the collector is off within the block, and the new objects are collected at the end of the block.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.collect(0)
        if was_enabled:
            gc.enable()
