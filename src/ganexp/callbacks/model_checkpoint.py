"""Lightning's checkpoints, for runs that are interrupted and run directories that move."""

from typing import Any

from pytorch_lightning import LightningModule, Trainer, callbacks
from pytorch_lightning.utilities.exceptions import SIGTERMException


class ModelCheckpoint(callbacks.ModelCheckpoint):
    """Keep the best checkpoint of a run whose directory was moved, where Lightning's class would forget it.

    With `save_on_exception`, only a run that was told to stop between two steps is saved. After any other exception, or
    within an evaluation, it could not be resumed exactly, and a run that diverged would replace its last good
    checkpoint.
    """

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save a checkpoint after a step that SIGTERM or Ctrl-C has made the last one."""
        if isinstance(exception, SIGTERMException) and not trainer.validating:
            super().on_exception(trainer, pl_module, exception)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state with every path in the old directory replaced by the path in the new one."""

        def moved(value: Any) -> Any:
            if isinstance(value, dict):
                return {moved(key): score for key, score in value.items()}
            return value.replace(state_dict["dirpath"], self.dirpath, 1) if isinstance(value, str) else value

        super().load_state_dict({key: moved(value) for key, value in state_dict.items()})
