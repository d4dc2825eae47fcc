"""What keeps a run whole: the random state in every checkpoint, and a stop when losses leave the numbers."""

import math
import random
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from ganexp.errors import UserError


class RandomState(Callback):
    """Saves torch's and Python's random state with each checkpoint and puts it back when training starts again."""

    def __init__(self) -> None:
        self.restored: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        version, numbers, gauss = random.getstate()
        state = {"cpu": torch.get_rng_state(), "python": [version, list(numbers), gauss]}
        return state | ({"cuda": torch.cuda.get_rng_state_all()} if torch.cuda.is_available() else {})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.restored = state

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        if not self.restored:
            return
        torch.set_rng_state(self.restored["cpu"].cpu())
        version, numbers, gauss = self.restored["python"]
        random.setstate((version, tuple(numbers), gauss))
        if torch.cuda.is_available() and "cuda" in self.restored:
            torch.cuda.set_rng_state_all([state.cpu() for state in self.restored["cuda"]])


class StopWhenNotFinite(Callback):
    """Ends a run whose logged loss is NaN or infinite: nothing after that is worth the time."""

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *args: Any) -> None:
        if module.step % module.log_every:
            return
        bad = [name for name, value in module.latest.items() if name.startswith("loss/") and not math.isfinite(value)]
        if bad:
            raise UserError(
                f"The run diverged: {', '.join(bad)} not finite at step {module.step}.\nThe checkpoint and samples "
                "before it are kept. Try a lower learning rate: optimizer.discriminator.lr, optimizer.generator.lr."
            )
