"""How far the run is: a live bar on a terminal, a line an evaluation, or half a minute, elsewhere."""

import time
from typing import Any

from pytorch_lightning import Callback, Trainer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ganexp.training.gan import GAN

QUIET = 30  # seconds without a word at most, but for a step that takes longer


class ProgressLine(Callback):
    """step, step/s, losses, last IS and FID, time left. Refreshed when losses are logged, or after half a minute."""

    def __init__(self) -> None:
        self.console = Console()
        self.live = self.console.is_terminal and not self.console.is_dumb_terminal
        columns = (
            TextColumn("{task.completed:,}/{task.total:,}"),
            BarColumn(),
            TextColumn("{task.fields[line]}"),
        )
        self.bar = Progress(*columns, console=self.console, auto_refresh=False, disable=not self.live)

    def on_train_start(self, trainer: Trainer, gan: GAN) -> None:
        self.started = self.printed = time.monotonic()
        self.first = self._done(gan)
        self.first_step = gan.step
        self.task = self.bar.add_task("", total=gan.steps, completed=gan.step, line=self.line(gan))
        self.bar.start()

    def on_train_batch_end(self, trainer: Trainer, gan: GAN, *args: Any) -> None:
        quiet = time.monotonic() - self.printed > QUIET
        if self.live and (quiet or gan.step % gan.log_every == 0):
            self.printed = time.monotonic()
            self.bar.update(self.task, completed=gan.step, line=self.line(gan), refresh=True)
        elif quiet and not self.live:
            self._print(gan)

    def on_train_epoch_end(self, trainer: Trainer, gan: GAN) -> None:
        if not self.live:
            self._print(gan)

    def _print(self, gan: GAN) -> None:
        self.printed = time.monotonic()
        print(f"step {gan.step:,}/{gan.steps:,}  {self.line(gan)}", flush=True)  # for who follows a log

    def on_exception(self, trainer: Trainer, gan: GAN, exception: BaseException) -> None:
        self.bar.stop()

    def teardown(self, trainer: Trainer, gan: GAN, stage: str) -> None:
        self.bar.stop()

    def line(self, gan: GAN) -> str:
        """One line of text: speed and time left count evaluations in."""
        values = [
            f"{label} {gan.latest[key]:.3g}"
            for key, label in (("loss/discriminator", "D"), ("loss/generator", "G"))
            if key in gan.latest
        ]
        scores = [
            f"{name.split('_')[0].upper()} {value:.4g}"
            for name, value in gan.latest.items()
            if name.startswith(("is_", "fid_")) and not name.endswith("_std")
        ]
        if scores:
            values.append(f"{' '.join(scores)} at {gan.scored_at:,}")
        if gan.max_d_steps:
            values.insert(0, f"D update {gan.d_steps:,}/{gan.max_d_steps:,}")
        done = self._done(gan) - self.first
        if done:
            seconds = time.monotonic() - self.started
            left = seconds / done * (1 - self._done(gan))
            values = [f"{(gan.step - self.first_step) / seconds:.3g} step/s", *values, f"{_clock(left)} left"]
        return " · ".join(values)

    def _done(self, gan: GAN) -> float:
        """Which share of the run lies behind."""
        return max(gan.step / gan.steps, gan.d_steps / gan.max_d_steps if gan.max_d_steps else 0.0)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
