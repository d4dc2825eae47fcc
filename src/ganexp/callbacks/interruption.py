"""Let Ctrl-C end a training between two steps, so that it can be resumed from there."""

import signal
import threading
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer


class Interruption(Callback):
    """Treat the first Ctrl-C of a training as SIGTERM, after which Lightning ends the training when the step is done.

    In an evaluation, Lightning waits for a batch of samples instead. The second Ctrl-C ends the training at once.
    """

    def __init__(self) -> None:
        self.handler_before: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Handle Ctrl-C from now on. Only the main thread of a process may."""
        if threading.current_thread() is threading.main_thread():
            self.handler_before = signal.signal(signal.SIGINT, self._end_after_step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave Ctrl-C to whoever handled it before."""
        self._restore()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave Ctrl-C to whoever handled it before."""
        self._restore()

    def _end_after_step(self, signal_number: int, frame: FrameType | None) -> None:
        self._restore()
        signal.raise_signal(signal.SIGTERM)

    def _restore(self) -> None:
        if self.handler_before is not None:
            signal.signal(signal.SIGINT, self.handler_before)
            self.handler_before = None
