"""Stop a run when the discriminator separates real from generated images too well, or no longer at all."""

from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig
from pytorch_lightning import Callback, Trainer

from ganexp import log_keys
from ganexp.config.output_checks import classifies_images
from ganexp.console import count
from ganexp.errors import UserError
from ganexp.training.gan import GAN
from ganexp.types import PositiveInt, UnitInterval

KINDS = ("real", "fake")
NO_ACCURACY = (
    "this loss has no accuracy, because its discriminator does not classify images as real or generated. Use another "
    "loss, such as loss=non_saturating, or leave stop_on_accuracy out of callbacks"
)


class StopOnAccuracy(Callback):
    """End a run when the discriminator's accuracy is outside an interval at several logged points in a row.

    The accuracy is the mean of two accuracies in the discriminator's last update: on real and on generated images. If
    this mean is near 1, the generator gets no useful gradient; if it is below one half, the discriminator no longer
    learns.

    Args:
        highest: Upper end of the interval.
        lowest: Lower end of the interval.
        patience: Number of logged points in a row with an accuracy outside the interval, after which the run ends.

    Raises:
        ValueError: If `lowest` is above `highest`.
    """

    def __init__(self, highest: UnitInterval, lowest: UnitInterval, patience: PositiveInt) -> None:
        if lowest > highest:
            raise ValueError(f"lowest={lowest} must not be above highest={highest}")
        self.highest, self.lowest, self.patience = highest, lowest, patience
        self.points = 0  # number of logged points in a row with an accuracy outside the interval

    @staticmethod
    def complaints(cfg: DictConfig, gan: GAN, **settings: Any) -> Iterator[str]:
        """Yield a line if the loss has no accuracy."""
        if not classifies_images(cfg, gan.objective.adversarial):
            yield NO_ACCURACY

    def on_train_batch_end(self, trainer: Trainer, pl_module: GAN, *args: Any) -> None:
        """Check the accuracy if this step was logged, and the discriminator was updated since the last logged step.

        Raises:
            UserError: The loss has no accuracy.
        """
        logged = pl_module.logged
        if pl_module.losses_logged_at != pl_module.step or log_keys.loss_key("discriminator") not in logged:
            return
        keys = [log_keys.accuracy_key(kind) for kind in KINDS]
        if not logged.keys() >= set(keys):
            raise UserError(f"callbacks.stop_on_accuracy: {NO_ACCURACY}")
        accuracy = sum(logged[key] for key in keys) / len(keys)
        is_inside = self.lowest <= accuracy <= self.highest
        self.points = 0 if is_inside else self.points + 1
        if self.points >= self.patience and not pl_module.is_done:
            pl_module.stop(
                f"because D's accuracy, now {accuracy:.3f}, was outside of [{self.lowest:g}, {self.highest:g}] at "
                f"{count(self.points, 'logged point')} in a row"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the number of points in a row outside the interval, for a checkpoint."""
        return {"points": self.points}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the number of points in a row outside the interval."""
        self.points = state["points"]
