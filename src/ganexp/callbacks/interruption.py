"""Delay signals that end or preempt a training: they take effect between two steps, when the state is complete."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

Handler = Callable[[int, FrameType | None], Any]


class Interruption(Callback):
    """End a training between two steps on Ctrl-C or SIGHUP, and delay SLURM's signal until the end of a step.

    The first Ctrl-C, or SIGHUP of a terminal that closes, is treated as SIGTERM. Lightning then ends the training
    between two steps, or between two batches of an evaluation. The second Ctrl-C ends the training at once.

    When SLURM preempts a job, Lightning saves a checkpoint and flushes the loggers. In the middle of a step this could
    cause a deadlock, because a logger may hold a lock.

    Attributes:
        received: number of the signal that ends the training, if a signal ends it.
    """

    def __init__(self) -> None:
        self.received: int = signal.SIGTERM
        self._handlers_before: dict[int, Any] = {}
        self._waiting: list[Callable[[], Any]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Install the signal handlers, if this is the main thread; other threads cannot handle signals."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._replace_handler(signal.SIGINT, self._end_after_step)
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores SIGHUP
            self._replace_handler(signal.SIGHUP, self._end_after_step)
        preempt = signal.getsignal(signal.SIGUSR1) if hasattr(signal, "SIGUSR1") else None
        if callable(preempt):
            self._replace_handler(signal.SIGUSR1, lambda *args: self._waiting.append(lambda: preempt(*args)))

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Handle a signal that was delayed until the end of the step."""
        while self._waiting:
            self._waiting.pop(0)()

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Handle a signal that was delayed until the end of a batch of an evaluation."""
        self.on_train_batch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the previous signal handlers."""
        self._restore_handlers()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Restore the previous signal handlers."""
        self._restore_handlers()

    def _end_after_step(self, signal_number: int, frame: FrameType | None) -> None:
        self._restore_handlers()
        self.received = signal_number
        signal.raise_signal(signal.SIGTERM)

    def _replace_handler(self, number: int, handler: Handler) -> None:
        self._handlers_before[number] = signal.signal(number, handler)

    def _restore_handlers(self) -> None:
        while self._handlers_before:
            signal.signal(*self._handlers_before.popitem())
