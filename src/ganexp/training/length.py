"""Convert a schedule's epochs to steps or discriminator updates, given the number of real batches in a step."""

import math
from fractions import Fraction

from omegaconf import DictConfig

from ganexp.config.instantiate import instantiate, to_plain
from ganexp.console import count
from ganexp.data.contents import contents
from ganexp.errors import UserError


def in_steps(cfg: DictConfig, images: int | None) -> DictConfig:
    """Return a copy of the resolved `cfg` with the epochs converted to steps; `cfg` itself if it has no epochs.

    If the number of batches in a step depends on the losses, epochs are converted to discriminator updates: the run
    ends, or is evaluated, after this number of discriminator updates. `steps` is then the largest number of steps that
    the run can have. With `evaluate_by=d_steps`, the epochs between two evaluations are converted to discriminator
    updates in any case.

    Args:
        cfg: a resolved config in which `choose_units` has left epochs or steps, not both.
        images: number of images in the training split; None if it is not known.

    Raises:
        UserError: there are epochs, but the number of images is not known or is smaller than a batch; or the number of
            discriminator updates in an epoch is needed, but depends on the losses.
    """
    if cfg.schedule.epochs is None and cfg.schedule.evaluate_every_epochs is None:
        return cfg
    cfg = cfg.copy()
    schedule = cfg.schedule
    batches = _batches_per_epoch(cfg, images)
    drawn = batches_per_step(cfg)
    if schedule.epochs is not None:
        schedule.steps = _steps(schedule.epochs * batches, drawn)
        if drawn is None and schedule.max_d_steps is None:
            schedule.max_d_steps = schedule.epochs * batches
    if schedule.evaluate_every_epochs is not None:
        schedule.evaluate_every = _interval(cfg, schedule.evaluate_every_epochs * batches, drawn)
        schedule.evaluate_by = "d_steps" if drawn is None else schedule.evaluate_by
    return cfg


def _interval(cfg: DictConfig, batches: int, drawn: Fraction | None) -> int:
    """Return how many steps, or discriminator updates if `evaluate_by` is d_steps, draw `batches` batches."""
    if drawn is None or cfg.schedule.evaluate_by == "steps":
        return _steps(batches, drawn)
    updates = instantiate(cfg.schedule.updates, "schedule.updates").updates_per_step
    if updates is None:
        raise UserError(
            "schedule.evaluate_by=d_steps: how many discriminator updates an epoch has depends on the losses: give "
            "schedule.evaluate_every=N in place of schedule.evaluate_every_epochs, or leave schedule.evaluate_by out"
        )
    return math.ceil(batches / drawn * updates)


def _batches_per_epoch(cfg: DictConfig, images: int | None) -> int:
    if images is None:
        raise UserError(
            f"{_given(cfg)}: the number of images is not known before the images are read, so epochs cannot be "
            "converted to steps: add data.images=NUMBER, or give schedule.steps and schedule.evaluate_every"
        )
    images = _trained_on(cfg, images)
    if images < cfg.schedule.batch_size:
        raise UserError(
            f"schedule.batch_size={cfg.schedule.batch_size} is more than the {count(images, 'image')} to train on: "
            f"use schedule.batch_size={images} or less"
        )
    return images // cfg.schedule.batch_size


def _given(cfg: DictConfig) -> str:
    keys = [key for key in ("epochs", "evaluate_every_epochs") if cfg.schedule[key] is not None]
    return " and ".join(f"schedule.{key}={cfg.schedule[key]}" for key in keys)


def _steps(batches: int, drawn: Fraction | None) -> int:
    """Return how many steps draw `batches` batches: each step draws `drawn` batches, or one if `drawn` is None."""
    return batches if drawn is None else math.ceil(batches / drawn)


def known_images(cfg: DictConfig) -> int | None:
    """Return, without reading images, the number of images in the training split; None if it is not known."""
    source = to_plain(cfg.data.source)
    sizes = contents(source, cfg.data.resolution, cfg.data.channels).get("images", {})
    size = sizes.get(cfg.data.split)
    images = sum(size.values()) if isinstance(size, dict) else size
    return cfg.data.images if images is None else images


def _trained_on(cfg: DictConfig, images: int) -> int:
    """Return the number of images to train on, which `data.training_images` can reduce."""
    return min(images, cfg.data.training_images or images)


def batches_per_step(cfg: DictConfig) -> Fraction | None:
    """Return the number of batches of real images in a step; None if it depends on the losses."""
    return instantiate(cfg.schedule.updates, "schedule.updates").batches_per_step


def epochs_of(cfg: DictConfig, images: int | None) -> float | None:
    """Return a run's length in epochs, given the number of images in the training split; None if it is not known."""
    schedule = cfg.schedule
    drawn = batches_per_step(cfg)
    batches = schedule.max_d_steps if drawn is None else drawn * schedule.steps
    if batches is None or images is None or _trained_on(cfg, images) < schedule.batch_size:
        return None
    return float(Fraction(batches, _trained_on(cfg, images) // schedule.batch_size))
