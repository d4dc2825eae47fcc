"""Keep the checkpoints of chosen epochs, in addition to the best and the last checkpoint."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Checkpoint

from ganexp.runs.run_directory import RunDirectory
from ganexp.training.gan import GAN


class KeptCheckpoints(Checkpoint):
    """Save checkpoints/step-STEP-epoch-EPOCH.ckpt at the first step that completes one of `epochs`.

    These checkpoints are kept for drawing samples and for scoring, and a run is resumed from the newest of them if its
    last.ckpt is damaged. If the step of such a checkpoint is evaluated, the checkpoint is therefore saved after the
    evaluation, when all callbacks have seen the scores, and before last.ckpt.

    Args:
        run_directory: directory of the run.
        epochs: numbers of epochs after which a checkpoint is kept.
    """

    sees_every_step = True  # the step that completes an epoch is known only afterwards

    def __init__(self, run_directory: RunDirectory, epochs: Iterable[int]) -> None:
        self.run_directory, self.epochs = run_directory, sorted(set(epochs))
        self._epochs_before = 0.0
        self._due: list[Path] = []

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        """Store the number of epochs that a resumed run has completed."""
        self._epochs_before = self._epochs_of(pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: GAN, *args: Any) -> None:
        """Save a checkpoint if this step completed one of the epochs and is not evaluated."""
        now = self._epochs_of(pl_module)
        completed = [epoch for epoch in self.epochs if self._epochs_before < epoch <= now]
        self._due, self._epochs_before = [self._path(pl_module.step, epoch) for epoch in completed], now
        if not (trainer.should_stop or trainer.fit_loop.epoch_loop.batch_progress.is_last_batch):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Save a checkpoint after the evaluation of a step that completed one of the epochs."""
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        while self._due:
            trainer.save_checkpoint(self._due.pop(), weights_only=False)

    def _path(self, step: int, epoch: int) -> Path:
        return self.run_directory.kept_checkpoint(step, epoch)

    @staticmethod
    def _epochs_of(gan: GAN) -> float:
        return 0.0 if gan.stream is None else gan.stream.epochs
