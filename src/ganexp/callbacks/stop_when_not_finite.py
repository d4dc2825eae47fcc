"""Stop a run when its losses or weights are NaN or infinite."""

import math
from typing import Any

from pytorch_lightning import Callback, Trainer

from ganexp import log_keys
from ganexp.checkpoint import refuse_not_finite
from ganexp.errors import UserError
from ganexp.training.gan import GAN


class StopWhenNotFinite(Callback):
    """End a run when a logged loss, or a weight at an evaluation, is NaN or infinite: the run cannot recover."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: GAN, *args: Any) -> None:
        """Check the losses if this step was logged.

        Raises:
            UserError: a loss is not finite.
        """
        if pl_module.losses_logged_at != pl_module.step:
            return
        logged = pl_module.logged.items()
        bad = [name for name, value in logged if name.startswith(log_keys.LOSS) and not math.isfinite(value)]
        if bad:
            raise UserError(
                f"The run diverged: NaN or infinity in {', '.join(bad)} at step {pl_module.step}.\nThe earlier "
                "checkpoint and samples are kept. Try a lower learning rate: optimizer.discriminator.lr, "
                "optimizer.generator.lr."
            )

    def on_validation_start(self, trainer: Trainer, pl_module: GAN) -> None:
        """Check the weights before samples are scored: a weight can be NaN or infinite while the losses are finite.

        Raises:
            UserError: a weight is not finite.
        """
        refuse_not_finite(dict(pl_module.named_parameters()), pl_module.step)
