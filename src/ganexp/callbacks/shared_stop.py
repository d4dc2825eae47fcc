"""End a training in all of its processes when it must end in one of them."""

import signal
import threading
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from ganexp.training import processes


class SharedStop(Callback):
    """Share after each step whether the training ends, so that no process waits for another one that has ended.

    Lightning's handler of SIGTERM talks to the other processes in the middle of a step, which must not happen.
    """

    def __init__(self) -> None:
        self._has_signal = False
        self._handler_before: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Delay SIGTERM until the end of a step. Only the main thread can handle signals."""
        if threading.current_thread() is threading.main_thread():
            self._handler_before = signal.signal(signal.SIGTERM, self._keep)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Share whether to stop, and whether a signal came."""
        trainer.should_stop, has_signal = processes.any_of([bool(trainer.should_stop), self._has_signal])
        if has_signal:
            trainer._signal_connector.received_sigterm = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Share what the callbacks decided after an evaluation."""
        self.on_train_batch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the previous handler."""
        self._restore()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Restore the previous handler."""
        self._restore()

    def _keep(self, number: int, frame: FrameType | None) -> None:
        self._has_signal = True

    def _restore(self) -> None:
        if self._handler_before is not None:
            signal.signal(signal.SIGTERM, self._handler_before)
            self._handler_before = None
