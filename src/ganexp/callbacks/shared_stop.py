"""End a training in all of its processes when it must end in one of them."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from ganexp.training import processes

_received: set[int] = set()  # the signals that this process has received


@contextmanager
def signals_delayed(count: int) -> Iterator[None]:
    """Delay SIGUSR1, by which SLURM announces a preemption, until a step ends, if several processes train together.

    `count` is the number of these processes. Signals reach the processes one after another. Without the delay, a signal
    would end one process while the other processes still need it, for example for the last checkpoint. A SIGUSR1 that
    arrives before the first step is delayed too. SIGTERM is delayed by `SharedStop`, but only after the first step has
    started. In a single process, or without SLURM, nothing is delayed here.
    """
    if count == 1 or threading.current_thread() is not threading.main_thread():  # only the main thread handles signals
        yield
        return
    numbers = [signal.SIGUSR1] if "SLURM_JOB_ID" in os.environ else []
    before = {number: signal.signal(number, _keep) for number in numbers}
    try:
        yield
    finally:
        _received.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def _keep(number: int, frame: FrameType | None) -> None:
    _received.add(number)


class SharedStop(Callback):
    """Tell all processes after each step whether the training ends, so that none waits for a process that has ended.

    Lightning's handler of SIGTERM communicates with the other processes in the middle of a step, which must not happen.
    The handler of this class stays until the last checkpoint is saved; then Lightning restores the handlers that were
    installed before the training.

    Attributes:
        is_preempted: whether SLURM's signal ends the training.
    """

    def __init__(self) -> None:
        self.is_preempted = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Delay SIGTERM until the end of a step."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _keep)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Tell all processes whether one of them must stop or has received a signal."""
        flags = [bool(trainer.should_stop), bool(_received), signal.SIGTERM in _received]
        trainer.should_stop, has_signal, is_terminated = processes.any_of(flags)
        if has_signal:
            self.is_preempted = not is_terminated
            trainer._signal_connector.received_sigterm = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell all processes whether a callback stops the training after an evaluation."""
        self.on_train_batch_end(trainer, pl_module)
