"""Save the random state with every checkpoint, so that a resumed run draws the same random numbers."""

import random
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer


class RandomState(Callback):
    """Save torch's and Python's random state with each checkpoint, and restore it when training starts again."""

    def __init__(self) -> None:
        self.restored: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the states as tensors and plain values, which a checkpoint can hold without running code."""
        version, numbers, gauss = random.getstate()
        state = {"cpu": torch.get_rng_state(), "python": [version, list(numbers), gauss]}
        return state | ({"cuda": torch.cuda.get_rng_state_all()} if torch.cuda.is_available() else {})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep `state` until training starts, because other code may draw random numbers before."""
        self.restored = state

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the state that was loaded, if any."""
        if not self.restored:
            return
        torch.set_rng_state(self.restored["cpu"].cpu())
        version, numbers, gauss = self.restored["python"]
        random.setstate((version, tuple(numbers), gauss))
        if torch.cuda.is_available() and "cuda" in self.restored:
            torch.cuda.set_rng_state_all([state.cpu() for state in self.restored["cuda"]])
