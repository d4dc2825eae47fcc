"""Build and check the parts of a training, before its run directory is created."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from ganexp import build, build_scores, offline
from ganexp.commands.data_summary import data_summary
from ganexp.commands.launching.launched import check_launch
from ganexp.commands.precision import choose_precision
from ganexp.commands.threads import choose_threads
from ganexp.commands.warm_start import warm_start
from ganexp.config.callback_checks import check_callbacks
from ganexp.config.device_checks import check_hardware, check_shares
from ganexp.config.score_checks import is_trained_extractor
from ganexp.console import count, say, say_once
from ganexp.data.datamodule import StreamData
from ganexp.data.images import ImageSet
from ganexp.data.stream import ImageStream
from ganexp.training import processes
from ganexp.training import trainer as trainers
from ganexp.training.gan import GAN
from ganexp.training.length import batches_per_step, epochs_of


@dataclass
class Prepared:
    """The parts of a training, which are checked and built before the run directory is created.

    Attributes:
        gan: the networks with their objective and scores.
        data: the data module.
        device: the device of the training.
        image_sets: the images of each split of the dataset; the keys are the names of the splits.
        initial: what run.json records about the checkpoint of `init_from`; None if `init_from` is not set.
    """

    gan: GAN
    data: StreamData
    device: torch.device
    image_sets: dict[str, ImageSet]
    initial: dict[str, Any] | None = None


def prepare(cfg: DictConfig, resumed: bool = False) -> Prepared:
    """Build all parts of a training that can fail because of a wrong setting or a missing file.

    Args:
        cfg: the resolved config.
        resumed: whether the weights will come from a checkpoint of the run itself, so that `init_from` is not needed.

    Raises:
        UserError: settings are wrong or incompatible, data are missing, or the feature extractor's weights are missing.
    """
    if processes.count() == 1:  # only the first process checks this, before the others join
        check_launch(cfg.trainer.devices, processes.total(cfg.trainer) // cfg.trainer.devices)
    trainers.choose_algorithms(cfg.trainer.deterministic, cfg.trainer.tf32)
    pl.seed_everything(cfg.seed, verbose=False)
    gan = build.build_gan(cfg)
    initial = None if resumed else warm_start(cfg.get("init_from"), gan)
    build.check_callbacks_and_loggers(cfg)
    check_callbacks(cfg, gan)
    device = trainers.choose_device(cfg.trainer.accelerator)
    check_hardware(cfg.trainer, device)
    check_shares(cfg, gan)
    image_sets = prepare_data(cfg, gan)
    if device.type == "cpu":
        choose_threads(cfg, gan)
    chosen = " (chosen by trainer.precision=auto)" if choose_precision(cfg, gan, device) else ""
    say_once(f"device: {trainers.device_name(device)}; precision: {cfg.trainer.precision}{chosen}")
    stream = build.build_stream(cfg, image_sets["train"], device)
    gan.connect(stream)
    say_once(describe_length(cfg, stream))
    gan.scores = build_scores.build_scores(cfg, image_sets["train"], device, gan.num_classes, for_training=True)
    build_scores.best_score(cfg, gan.scores)
    check_callbacks(cfg, gan)  # now the names of the scores are known, whatever the extractor is
    return Prepared(gan, build.build_data(cfg, gan), device, image_sets, initial)


def describe_length(cfg: DictConfig, stream: ImageStream) -> str:
    """Return the length of the run, in steps and in epochs, and how often it is evaluated, as one line.

    If epochs of schedule.keep_at lie after the end of the run, a second line names these epochs.
    """
    schedule, unit = cfg.schedule, {"steps": "step", "d_steps": "discriminator update"}[cfg.schedule.evaluate_by]
    length = count(schedule.steps, "step")
    if schedule.max_d_steps is not None:
        length = f"{count(schedule.max_d_steps, 'discriminator update')}, at most {length}"
    epochs = epochs_of(cfg, len(stream.image_set))
    batches = count(stream.batches_per_epoch, "batch")
    drawn = batches_per_step(cfg)
    a_step = "" if drawn is None or drawn == 1 else f" ({count(float(drawn), 'batch')} in each step)"
    in_epochs = "" if epochs is None else f", that is {count(epochs, 'epoch')} of {batches}{a_step}"
    late = [str(epoch) for epoch in schedule.keep_at if epochs is not None and epoch > epochs]
    not_kept = f"\nschedule.keep_at: the run ends before epoch {', '.join(late)}" if late else ""
    every = count(schedule.evaluate_every, unit)
    is_short = schedule.evaluate_by == "steps" and schedule.evaluate_every >= schedule.steps
    evaluated = "evaluated at its start and end" if is_short else f"evaluated every {every}, and at the end"
    return f"length: {length}{in_epochs}; {evaluated}{not_kept}"


def check_only(cfg: DictConfig) -> None:
    """Build the networks, read the images, check that their number suffices, and load the feature extractor's weights.

    Raises:
        UserError: settings are wrong or incompatible, data or given weights are missing, or a score needs more images.
    """
    check_hardware(cfg.trainer, trainers.choose_device(cfg.trainer.accelerator))
    gan = build.build_gan(cfg)
    check_shares(cfg, gan)
    warm_start(cfg.get("init_from"), gan)
    build.check_callbacks_and_loggers(cfg)
    check_callbacks(cfg, gan)
    image_sets = prepare_data(cfg, gan)
    build.build_stream(cfg, image_sets["train"], torch.device("cpu"))
    if cfg.metrics.extractor is not None:
        build_scores.prepare_sets(cfg, image_sets["train"], gan.num_classes, for_training=True)
        _check_weights(cfg, image_sets["train"])


def _check_weights(cfg: DictConfig, image_set: ImageSet) -> None:
    """Build the feature extractor, unless ganexp trains it; print a message if its weights are missing.

    Raises:
        UserError: a package is missing, or a file has no weights of this extractor.
    """
    if is_trained_extractor(cfg.metrics.extractor):
        return
    try:
        build_scores.build_extractor(cfg, image_set, Path(cfg.metrics.cache).expanduser(), torch.device("cpu"))
    except offline.NotHere as error:
        say(f"feature extractor: {error} A run downloads it. To use your own file, add metrics.weights=FILE")


def prepare_data(cfg: DictConfig, gan: GAN) -> dict[str, ImageSet]:
    """Read the images, print a summary, and add the class names to `cfg`, so that config.yaml explains the labels.

    Raises:
        UserError: data are missing, or the classes of the splits do not fit each other.
    """
    image_sets = build.build_image_sets(cfg)
    for line in data_summary(image_sets):
        say_once(line)
    chosen, images = cfg.data.training_images, len(image_sets["train"])
    if chosen is not None and chosen <= images:  # `build_stream` refuses a larger number
        say_once(f"training images: {chosen:,} of the {images:,} in the dataset")
    cfg.data.classes = image_sets["train"].classes or None
    if gan.num_classes and "test" in image_sets and image_sets["test"].labels is None:
        say_once("test split: it has no classes, so the conditional discriminator's logits on it are not logged")
    return image_sets
