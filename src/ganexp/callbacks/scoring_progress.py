"""Show a progress bar while samples are scored outside of training."""

from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from rich.progress import Progress

from ganexp.console import make_console


class ScoringProgress(ProgressBar):
    """On a terminal, show a progress bar over the batches of a validation, and remove the bar at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True

    def disable(self) -> None:
        """Show nothing. Lightning calls this method in every process except the process of rank 0."""
        self.enabled = False

    def enable(self) -> None:
        """Show the bar again."""
        self.enabled = True

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the bar."""
        console = make_console()
        hidden = not self.enabled or not console.is_terminal or console.is_dumb_terminal
        self.bar = Progress(console=console, transient=True, disable=hidden)
        self.task = self.bar.add_task("scoring", total=sum(trainer.num_val_batches))
        self.bar.start()

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Advance the bar by a batch."""
        self.bar.advance(self.task)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove the bar before the scores are computed."""
        self.bar.stop()
