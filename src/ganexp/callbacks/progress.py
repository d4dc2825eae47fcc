"""Show the progress of a run: a live bar on a terminal; elsewhere a line at each evaluation and every half minute."""

import time
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ProgressBar
from rich.progress import BarColumn, Progress, TextColumn

from ganexp import log_keys
from ganexp.console import clock_time, count, make_console, say
from ganexp.training.gan import GAN

MAX_SILENCE_SECONDS = 30  # between two lines, unless a single step takes longer
LONG_SECONDS = 24 * 60 * 60  # a day; a run that takes longer is probably a mistake
SHOWN_SCORES = 2  # number of scores in the line


class ProgressLine(ProgressBar):
    """Show steps, steps per second, losses, the last scores and the time left.

    This callback replaces Lightning's bar, which would restart at every evaluation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True
        console = make_console()
        self.live = console.is_terminal and not console.is_dumb_terminal
        columns = (
            TextColumn("{task.completed:,}/{task.total:,}"),
            BarColumn(),
            TextColumn("{task.fields[line]}", markup=False),
        )
        self.bar = Progress(*columns, console=console, auto_refresh=False, disable=not self.live)
        self.scored_at, self.printed_at = 0, 0.0

    def disable(self) -> None:
        """Show nothing. Lightning calls this method in every process except the process of rank 0."""
        self.enabled, self.bar.disable = False, True

    def enable(self) -> None:
        """Show the line again."""
        self.enabled, self.bar.disable = True, not self.live

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        """Start the bar and the measurement of speed."""
        self.printed_at = time.monotonic()
        self._measure_from(pl_module)
        self.has_stepped = self.has_checked_length = False
        total = pl_module.steps
        self.task = self.bar.add_task("", total=total, completed=pl_module.step, line=self.line(pl_module))
        self.bar.start()

    def on_train_batch_end(self, trainer: Trainer, pl_module: GAN, *args: Any) -> None:
        """After half a minute without output, refresh the bar, or print a line if there is no live bar.

        The bar is also refreshed at the first step and whenever losses are logged.
        """
        now = time.monotonic()
        silent = now - self.printed_at > MAX_SILENCE_SECONDS
        is_first, self.has_stepped = not self.has_stepped, True
        if is_first:
            self._measure_from(pl_module)  # the first step of a process takes longer than the others
        elif not self.has_checked_length and now - self.started_at > MAX_SILENCE_SECONDS:
            self.has_checked_length = True
            self._warn_if_long(pl_module)
        if self.live and (silent or is_first or pl_module.losses_logged_at == pl_module.step):
            self.printed_at = time.monotonic()
            self.bar.update(self.task, completed=pl_module.step, line=self.line(pl_module), refresh=True)
        elif silent and not self.live:
            self._print(pl_module)

    def _measure_from(self, gan: GAN) -> None:
        """Measure the speed from the current step on."""
        self.started_at = time.monotonic()
        self.first_share, self.first_step = gan.share_done, gan.step
        self.first_seconds = gan.clock.seconds()

    def on_validation_start(self, trainer: Trainer, pl_module: GAN) -> None:
        """Start to measure for how long the evaluation prints nothing."""
        self.printed_at = time.monotonic()

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int, *args: Any
    ) -> None:
        """Show the progress of an evaluation after every half minute without output."""
        if time.monotonic() - self.printed_at > MAX_SILENCE_SECONDS:
            self.printed_at = time.monotonic()
            line = f"evaluation: {(batch_idx + 1) / sum(trainer.num_val_batches):.0%}"
            if self.live and self.bar.tasks:  # the bar starts after the first evaluation
                self.bar.update(self.task, line=line, refresh=True)
            elif self.enabled:
                say(f"step {pl_module.step:,}/{pl_module.steps:,}  {line}")

    def on_validation_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Store the step at which the scores were computed."""
        self.scored_at = pl_module.step

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Print a line after an evaluation."""
        if not self.live:
            self._print(pl_module)

    def on_exception(self, trainer: Trainer, pl_module: GAN, exception: BaseException) -> None:
        """Remove the bar before an error is printed."""
        self.bar.stop()

    def teardown(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:
        """Remove the bar."""
        self.bar.stop()

    def _warn_if_long(self, gan: GAN) -> None:
        """If the rest of the run takes more than a day, print how long it takes, and what shortens it."""
        seconds_left = self._seconds_left(gan)
        if self.enabled and seconds_left > LONG_SECONDS:
            gpu = ", or train on a GPU" if gan.device.type == "cpu" else ""
            days = count(round(seconds_left / LONG_SECONDS, 1), "day")
            say(
                f"warning: at this speed, the rest of the run takes about {days}. Use "
                f"fewer steps (schedule.steps=… or schedule=quick) or smaller images (data.resolution=…){gpu}"
            )

    def _print(self, gan: GAN) -> None:
        self.printed_at = time.monotonic()
        if self.enabled:
            say(f"step {gan.step:,}/{gan.steps:,}  {self.line(gan)}")

    def line(self, gan: GAN) -> str:
        """Return the progress as one line of text. The time left includes evaluations; the speed does not."""
        parts = [part for part in (self._d_steps(gan), *self._losses(gan), self._scores(gan)) if part]
        if gan.share_done > self.first_share:
            parts = [*self._speed(gan), *parts, f"{clock_time(self._seconds_left(gan))} left"]
        return " · ".join(parts)

    def _seconds_left(self, gan: GAN) -> float:
        """Return the seconds left, estimated from the progress since the measurement of speed started."""
        seconds = time.monotonic() - self.started_at
        return seconds / (gan.share_done - self.first_share) * (1 - gan.share_done)

    def _speed(self, gan: GAN) -> list[str]:
        seconds = gan.clock.seconds() - self.first_seconds
        return [f"{(gan.step - self.first_step) / seconds:.3g} step/s"] if seconds > 0 else []

    @staticmethod
    def _d_steps(gan: GAN) -> str:
        return f"D update {gan.d_steps:,}/{gan.max_d_steps:,}" if gan.max_d_steps else ""

    @staticmethod
    def _losses(gan: GAN) -> list[str]:
        """Return the losses if they were logged at this step; otherwise, their means since they were last logged."""
        networks = {"D": "discriminator", "G": "generator"}
        if gan.losses_logged_at == gan.step:
            keys = {network: log_keys.loss_key(network) for network in networks.values()}
            losses = {network: gan.logged[key] for network, key in keys.items() if key in gan.logged}
        else:
            losses = gan.losses_since_logged()
        return [f"{label} {losses[network]:.3g}" for label, network in networks.items() if network in losses]

    def _scores(self, gan: GAN) -> str:
        if gan.scores is None:
            return ""
        names = [name for name, info in gan.scores.info().items() if "spread_of" not in info]
        names = [name for name in names if log_keys.score_key(name) in gan.logged][:SHOWN_SCORES]
        if not names:
            return ""
        ending = f"_{gan.scores.extractor.name}"
        values = [f"{name.removesuffix(ending).upper()} {gan.logged[log_keys.score_key(name)]:.4g}" for name in names]
        return f"{' '.join(values)} at {self.scored_at:,}"
