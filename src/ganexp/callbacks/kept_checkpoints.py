"""Keep the checkpoints of chosen epochs, beside the best and the last one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, Trainer

from ganexp.runs.run_directory import RunDirectory
from ganexp.training.gan import GAN


class KeptCheckpoints(Callback):
    """Save checkpoints/step-STEP-epoch-EPOCH.ckpt at the first step that completes one of `epochs`.

    A run is resumed from last.ckpt only; these checkpoints are kept for drawing samples and for scoring.

    Args:
        run_directory: directory of the run.
        epochs: numbers of epochs after which a checkpoint is kept.
    """

    def __init__(self, run_directory: RunDirectory, epochs: Iterable[int]) -> None:
        self.run_directory, self.epochs = run_directory, sorted(set(epochs))
        self._epochs_before = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        """Store the number of epochs that a resumed run has completed."""
        self._epochs_before = self._epochs_of(pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: GAN, *args: Any) -> None:
        """Save a checkpoint if this step completed one of the epochs."""
        now = self._epochs_of(pl_module)
        for epoch in self.epochs:
            if self._epochs_before < epoch <= now:
                trainer.save_checkpoint(self._path(pl_module.step, epoch), weights_only=False)
        self._epochs_before = now

    def _path(self, step: int, epoch: int) -> Path:
        return self.run_directory.kept_checkpoint(step, epoch)

    @staticmethod
    def _epochs_of(gan: GAN) -> float:
        return 0.0 if gan.stream is None else gan.stream.epochs
