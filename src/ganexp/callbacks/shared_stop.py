"""End a training in all of its processes when it must end in one of them."""

import os
import signal
import threading
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from ganexp.training import processes


class SharedStop(Callback):
    """Share after each step whether the training ends, so that no process waits for another one that has ended.

    Lightning's handler of SIGTERM talks to the other processes in the middle of a step, which must not happen. Under
    SLURM, the signal of a preemption, SIGUSR1, ends the training in the same way.

    Attributes:
        is_preempted: whether SLURM's signal ends the training.
    """

    def __init__(self) -> None:
        self.is_preempted = False
        self._received: set[int] = set()
        self._handlers_before: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Delay signals until the end of a step. Only the main thread can handle signals."""
        if threading.current_thread() is threading.main_thread():
            under_slurm = "SLURM_JOB_ID" in os.environ
            for number in (signal.SIGTERM, *([signal.SIGUSR1] if under_slurm else [])):
                self._handlers_before[number] = signal.signal(number, self._keep)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Share whether to stop, and whether a signal came."""
        flags = [bool(trainer.should_stop), bool(self._received), signal.SIGTERM in self._received]
        trainer.should_stop, has_signal, is_terminated = processes.any_of(flags)
        if has_signal:
            self.is_preempted = not is_terminated
            trainer._signal_connector.received_sigterm = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Share what the callbacks decided after an evaluation."""
        self.on_train_batch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the previous handlers."""
        self._restore()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Restore the previous handlers."""
        self._restore()

    def _keep(self, number: int, frame: FrameType | None) -> None:
        self._received.add(number)

    def _restore(self) -> None:
        while self._handlers_before:
            signal.signal(*self._handlers_before.popitem())
