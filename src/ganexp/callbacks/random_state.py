"""Save the random state with every checkpoint, so that a resumed run draws the same random numbers."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from ganexp.console import say
from ganexp.random_numbers import random_state, restore_random_state
from ganexp.training import processes


class RandomState(Callback):
    """Save the random state of torch, NumPy and Python with each checkpoint, and restore it when training starts again.

    If the training uses a GPU, the random state of this GPU is saved too, but not the states of other GPUs. If several
    processes train together, the state of each process is saved.
    """

    def __init__(self) -> None:
        self.restored: dict[str, Any] = {}
        self.device = torch.device("cpu")

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find out which device the training uses."""
        self.device = trainer.strategy.root_device

    def state_dict(self) -> dict[str, Any]:
        """Return the states as tensors and plain values, so that loading a checkpoint runs no code."""
        state = random_state(self.device)
        return state if processes.count() == 1 else state | {"processes": processes.of_all(state)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep `state` until training starts, because other code may draw random numbers before that."""
        self.restored = state

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the state that was loaded, if any.

        If a run that was trained on a CPU is resumed on a GPU, the GPU draws new random numbers, from a seed that
        depends on the step. A message says so.
        """
        if not self.restored:
            return
        of_processes = self.restored.get("processes", [])
        if len(of_processes) == processes.count():
            self.restored = of_processes[processes.rank()]
        restore_random_state(self.restored, self.device)
        if processes.rank() and len(of_processes) != processes.count():  # a rollback saves only the state of rank 0
            torch.manual_seed(int(torch.randint(2**62, (1,))) + processes.rank())
        elif self.device.type == "cuda" and "cuda" not in self.restored:
            say("the run was not trained on a GPU before: the GPU starts with new random numbers")
            torch.cuda.manual_seed(torch.initial_seed() + int(getattr(pl_module, "step", 0)))
