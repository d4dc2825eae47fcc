"""The part of training that evaluates a GAN: it counts updates, logs values, and scores samples."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from torch import Tensor, nn

from ganexp import log_keys
from ganexp.checkpoint import STOPPED
from ganexp.console import say
from ganexp.data.stream import ImageStream
from ganexp.metrics.collection import Scores
from ganexp.models.latent import Latent
from ganexp.pixels import PixelRange
from ganexp.random_numbers import random_state, restore_random_state, seed_random_numbers
from ganexp.sampling import EVALUATION_SEED, FixedLatents, generate
from ganexp.training.clock import TrainingClock
from ganexp.training.ema import AveragedGenerator

COUNTERS = ("step", "d_steps", "images_seen")


class ScoredModule(pl.LightningModule):
    """A LightningModule whose validations score its samples. It counts steps itself, and uses this count in its logs.

    A subclass defines `sampling_generator`, and the length of the run: `steps` and `max_d_steps`.

    Args:
        latent: distribution of the latents.
        num_classes: number of classes of a conditional GAN; 0 trains without labels.
        pixel_range: range of the pixels of real images.

    Attributes:
        stream: stream of real batches; it must be set before training.
        scores: scores that a validation computes; None computes nothing. They are not registered as a submodule, so
            that checkpoints do not include the feature extractor.
        was_stopped: whether a callback had stopped the run when its checkpoint was saved.
        stop_reason: a text that says at which step and why a callback has stopped the run; empty if it was not stopped.
        step, d_steps, images_seen: numbers of generator updates, discriminator updates, and real images used so far.
        evaluation_latents: latents from which validations generate images.
        score_values: the scores of the last validation, by name.
        logged: the last logged values by key, for callbacks that show or check them.
        clock: the seconds of training so far.
    """

    averaged_generator: AveragedGenerator | None
    steps: int
    max_d_steps: int | None

    def __init__(self, latent: Latent, num_classes: int, pixel_range: PixelRange) -> None:
        super().__init__()
        self.latent, self.num_classes = latent, num_classes
        self.pixel_range: PixelRange = pixel_range
        self.stream: ImageStream | None = None
        self.scores: Scores | None = None
        self.step = self.d_steps = self.images_seen = 0
        self.was_stopped, self.stop_reason = False, ""
        self.clock = TrainingClock()
        self.logged: dict[str, float] = {}
        self.score_values: dict[str, float] = {}
        self.evaluation_latents = FixedLatents(latent, EVALUATION_SEED)
        self._random_state: dict[str, Any] = {}  # the random state of the training, kept during a validation

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute. A plain value is set as in any other Python object, which is faster than in a module.

        In each step, Lightning stores the names of about 20 hooks, and a module would look for parameters each time.
        """
        if isinstance(value, (int, float, str, tuple, dict)):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def sampling_generator(self) -> nn.Module:
        """The generator to sample images from."""
        raise NotImplementedError

    @property
    def share_done(self) -> float:
        """The completed share of the run, in [0, 1]. The run ends as soon as `steps` or `max_d_steps` is reached."""
        d_share = self.d_steps / self.max_d_steps if self.max_d_steps else 0.0
        return max(self.step / self.steps, d_share)

    @property
    def is_done(self) -> bool:
        """Whether the run has made all its steps, or reached the limit on discriminator updates."""
        return self.step >= self.steps or self._d_steps_are_used_up

    @property
    def _d_steps_are_used_up(self) -> bool:
        return self.max_d_steps is not None and self.d_steps >= self.max_d_steps

    def stop(self, reason: str) -> None:
        """End the run after this step, print the reason, and keep it for run.json and the next checkpoint.

        Args:
            reason: the rest of the line "stopped at step N …", such as "because the loss is too high".
        """
        self.trainer.should_stop = True
        self.stop_reason = f"stopped at step {self.step:,} {reason}"
        say(self.stop_reason)

    def on_train_batch_end(self, *args: Any) -> None:
        """End the period if the run stops now, so that a signal in the evaluation is handled after the callbacks."""
        if self.trainer.should_stop:
            self._end_period()

    def _end_period(self) -> None:
        """End Lightning's epoch, so that Lightning validates after this step."""
        self.trainer.fit_loop.epoch_loop.batch_progress.is_last_batch = True

    @property
    def _period_ends(self) -> bool:
        return self.trainer.should_stop or self.trainer.fit_loop.epoch_loop.batch_progress.is_last_batch

    def log_values(self, values: Mapping[str, float]) -> None:
        """Send values to every logger at the current step, with the other counters that can be the axis of a plot."""
        axes = {
            log_keys.D_STEPS: self.d_steps,
            log_keys.IMAGES: self.images_seen,
            log_keys.SECONDS: self.clock.seconds(),
        }
        if self.stream is not None:
            axes[log_keys.EPOCHS] = self.stream.epochs
        self.logged |= values
        for logger in self.loggers:
            logger.log_metrics({**values, **axes}, self.step)

    def on_validation_start(self) -> None:
        """Pause the clock, remove the samples of the last validation, and seed all random numbers.

        Scores and callbacks may draw random numbers. These numbers do not change the training, and they are the same in
        every validation.
        """
        self.clock.pause()
        self._random_state = random_state(self.device)
        seed_random_numbers(EVALUATION_SEED, self.device)
        if self.scores is not None:
            self.scores.reset()

    def validation_step(self, indices: Tensor, _index: int) -> None:
        """Generate images from the fixed latents at `indices` (N,), and add them to the scores."""
        if self.scores is None:
            return
        indices = indices.cpu()
        labels = None if self.scores.labels is None else self.scores.labels.values[indices]
        self.scores.update(generate(self, self.evaluation_latents[indices], labels), labels, indices)

    def on_validation_epoch_end(self) -> None:
        """Compute and log the scores; callbacks can monitor them by their names."""
        if self.scores is None:
            return
        values = self.score_values = self.scores.compute()
        self.log_values({log_keys.score_key(name): value for name, value in values.items()})
        for name, value in values.items():
            self.log(name, value, logger=False)

    def on_validation_end(self) -> None:
        """Restore the random state of the training. Lightning calls this after the callbacks."""
        restore_random_state(self._random_state, self.device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the counters, the seconds of training, and whether (and why) a callback has stopped the run."""
        counters = {name: getattr(self, name) for name in COUNTERS}
        stopped = self.trainer.should_stop and not self.is_done and (self.stop_reason or True)
        checkpoint["ganexp"] = counters | {"seconds": self.clock.seconds(), STOPPED: stopped}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what `on_save_checkpoint` has added."""
        for name in COUNTERS:
            setattr(self, name, checkpoint["ganexp"][name])
        self.clock.continue_from(checkpoint["ganexp"]["seconds"])
        stopped = checkpoint["ganexp"].get(STOPPED, False)
        self.was_stopped, self.stop_reason = bool(stopped), stopped if isinstance(stopped, str) else ""
