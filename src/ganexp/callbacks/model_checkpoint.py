"""Save checkpoints with Lightning, also for runs that are interrupted or moved to another directory."""

from typing import Any

from pytorch_lightning import LightningModule, Trainer, callbacks
from pytorch_lightning.utilities.exceptions import SIGTERMException


class ModelCheckpoint(callbacks.ModelCheckpoint):
    """Keep track of the best checkpoint even if the run directory was moved, unlike Lightning's class.

    With `save_on_exception`, a checkpoint is saved only if a signal stopped the run between two steps. A checkpoint
    from within an evaluation, or after any other exception, would not allow an exact resume. A run that diverged would
    also replace its last good checkpoint.
    """

    @property
    def state_key(self) -> str:
        """Return the key of the state in checkpoints; it is different for each file name, such as `best` and `last`."""
        return f"{type(self).__qualname__}[{self.filename}]"

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save a checkpoint if SIGTERM or Ctrl-C stopped the run after a step."""
        if isinstance(exception, SIGTERMException) and not trainer.validating:
            super().on_exception(trainer, pl_module, exception)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state, and replace the old directory by the new one in every path."""

        def moved(value: Any) -> Any:
            if isinstance(value, dict):
                return {moved(key): score for key, score in value.items()}
            return value.replace(state_dict["dirpath"], str(self.dirpath), 1) if isinstance(value, str) else value

        super().load_state_dict({key: moved(value) for key, value in state_dict.items()})
