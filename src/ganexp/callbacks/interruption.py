"""Let signals that end or preempt a training take effect between two steps, where its state is whole."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

Handler = Callable[[int, FrameType | None], Any]


class Interruption(Callback):
    """Let Ctrl-C end a training when its step is done, and SLURM's signal wait for the end of the step.

    The first Ctrl-C is treated as SIGTERM, after which Lightning ends the training between two steps, or between two
    batches of an evaluation. The second one ends it at once.

    When SLURM preempts a job, Lightning saves a checkpoint and flushes the loggers. At an arbitrary point of the code,
    that could wait for ever for a lock which a logger holds.
    """

    def __init__(self) -> None:
        self._handlers_before: dict[int, Any] = {}
        self._waiting: list[Callable[[], Any]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Handle the signals from now on. Only the main thread of a process may."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._replace_handler(signal.SIGINT, self._end_after_step)
        preempt = signal.getsignal(signal.SIGUSR1) if hasattr(signal, "SIGUSR1") else None
        if callable(preempt):
            self._replace_handler(signal.SIGUSR1, lambda *args: self._waiting.append(lambda: preempt(*args)))

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Do what waited for the end of the step."""
        while self._waiting:
            self._waiting.pop(0)()

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Do what waited for the end of a batch of an evaluation."""
        self.on_train_batch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the signals to whoever handled them before."""
        self._restore_handlers()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the signals to whoever handled them before."""
        self._restore_handlers()

    def _end_after_step(self, signal_number: int, frame: FrameType | None) -> None:
        self._restore_handlers()
        signal.raise_signal(signal.SIGTERM)

    def _replace_handler(self, number: int, handler: Handler) -> None:
        self._handlers_before[number] = signal.signal(number, handler)

    def _restore_handlers(self) -> None:
        while self._handlers_before:
            signal.signal(*self._handlers_before.popitem())
