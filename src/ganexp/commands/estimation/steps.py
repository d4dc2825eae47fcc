"""Time some real steps of a training, and count their floating-point operations."""

import math
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig

from ganexp.callbacks.random_state import RandomState
from ganexp.commands.estimation.flops import FlopCounter
from ganexp.commands.estimation.timing import clock
from ganexp.data.datamodule import StreamData
from ganexp.data.stream import ImageStream
from ganexp.loggers.metrics_file import MetricsFile
from ganexp.loggers.tensorboard import TensorBoard
from ganexp.runs.run_directory import RunDirectory
from ganexp.training import trainer as trainers
from ganexp.training.gan import GAN

WARM_UP_CYCLES, TIMED_STEPS = 3, 10  # a cycle has the steps from one discriminator update to the next
MAX_TIMING_SECONDS = 30  # after this time, no further steps are timed


class _Stopwatch(pl.Callback):
    """Record the time after every step, and end the training when enough time has passed.

    The floating-point operations of the second cycle, before the timed steps, are counted. Only convolutions, matrix
    products and attention count, in forward and backward passes.

    Attributes:
        flops: the mean number of operations in a step; None before the end of the second cycle.
    """

    sees_every_step = True

    def __init__(self, gan: GAN) -> None:
        self.gan, self.cycle = gan, gan.steps_per_d_update
        self.times: list[float] = []
        self.flops: float | None = None
        self._counter = FlopCounter()

    def on_train_batch_start(self, *args: Any, **kwargs: Any) -> None:
        if self.gan.step == self.cycle:
            self._gradient_function = self.gan.gradient_function
            self.gan.gradient_function = self.gan.compute_gradients  # CUDA graphs and compiled code hide operations
            self._counter.__enter__()

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        if self.gan.step == 2 * self.cycle:
            self._counter.__exit__(None, None, None)
            self.flops = self._counter.flops / self.cycle
            self.gan.gradient_function = self._gradient_function
        self.times.append(clock(self.gan.device))
        if self.flops is not None and self.times[-1] - self.times[self.cycle - 1] > MAX_TIMING_SECONDS:
            trainer.should_stop = True

    def seconds_a_step(self) -> float:
        """Return the mean seconds of a step over the complete cycles after the warm-up.

        If there is no such cycle, the mean over the last cycle is returned.
        """
        timed = len(self.times) - 1 - WARM_UP_CYCLES * self.cycle
        steps = max(timed // self.cycle, 1) * self.cycle
        return (self.times[-1] - self.times[-1 - steps]) / steps


def time_steps(cfg: DictConfig, gan: GAN, stream: ImageStream, run: RunDirectory) -> tuple[_Stopwatch, pl.Trainer]:
    """Train for some steps, and return the stopwatch with the times of these steps, and the trainer."""
    stopwatch = _Stopwatch(gan)
    timed_cycles = math.ceil(TIMED_STEPS / stopwatch.cycle)
    steps = (WARM_UP_CYCLES + timed_cycles) * stopwatch.cycle + 1
    gan.steps, gan.max_d_steps, gan.evaluate_every = steps, None, steps + 1  # no evaluation within the timed steps
    gan.evaluate_by = "steps"
    run.path.mkdir()
    loggers = [MetricsFile(run), TensorBoard(run)]
    precision, device = cfg.trainer.precision, stream.device
    callbacks = [RandomState(), stopwatch]
    trainer = trainers.make_trainer(device, run.path, precision, callbacks=callbacks, loggers=loggers)
    trainers.fit(trainer, gan, StreamData(stream), None)
    return stopwatch, trainer
