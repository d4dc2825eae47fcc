"""Build the objects of a run from a resolved config: networks, objective, data, callbacks and loggers.

An error from a lower layer names only the wrong argument. This module adds the config key of the argument to the
message. Scores are built in `build_scores.py`.
"""

import inspect
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

import hydra.utils
import torch
from omegaconf import DictConfig
from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger

from ganexp.config import checks
from ganexp.config.instantiate import check, instantiate, instantiate_all, locate, to_plain
from ganexp.config.optimizers import make_optimizer_factory
from ganexp.console import count
from ganexp.data.datamodule import StreamData
from ganexp.data.images import ImageSet, check_image_set, fits
from ganexp.data.stream import ImageStream
from ganexp.errors import UserError
from ganexp.losses.objective import Objective
from ganexp.metrics.collection import Scores
from ganexp.models.layers import needs_separate_batches
from ganexp.runs.run_directory import RunDirectory
from ganexp.sampling import needs_batches
from ganexp.training import processes
from ganexp.training.ema import AveragedGenerator
from ganexp.training.faster_updates import FasterUpdates
from ganexp.training.gan import GAN
from ganexp.training.schedules import batch_size_scale, set_stage

CALLBACK_ARGUMENTS = ("run_directory", "image_sets", "scores")  # arguments whose values come from the run
LOGGER_ARGUMENTS = ("save_dir", "run_directory", "resume_step", "name", "tags")

# Networks and objective


def build_gan(cfg: DictConfig) -> GAN:
    """Return the networks with their objective, update rule and optimizers, after a check for incompatible settings."""
    model, schedule = cfg.model, cfg.schedule
    latent = instantiate(model.latent, "model.latent")  # built first, because the networks need its size
    networks = {name: instantiate(model[name], f"model.{name}") for name in ("generator", "discriminator")}
    joint_batch = schedule.joint_batch == "auto" and not needs_separate_batches(networks["discriminator"])
    objective = build_objective(cfg, joint_batch)
    update_rule = instantiate(schedule.updates, "schedule.updates")
    features = getattr(networks["discriminator"], "feature_dim", None)
    networks |= _build_all(model.auxiliary, "model.auxiliary", {"features": features} if features else {})
    if cfg.trainer.channels_last:
        networks = {name: network.to(memory_format=torch.channels_last) for name, network in networks.items()}
    scale = batch_size_scale(schedule.batch_size, schedule.lr_reference_batch)
    optimizers = {
        name: make_optimizer_factory(node, name, scale) for name, node in cfg.optimizer.items() if node is not None
    }
    ema, growth = schedule.ema, instantiate(schedule.growth, "schedule.growth")
    set_stage(networks.values(), 0, growth)  # sets the first stage, for an evaluation before the first step
    gan = GAN(
        networks=networks,
        objective=objective,
        update_rule=update_rule,
        optimizers=optimizers,
        latent=latent,
        num_classes=cfg.data.num_classes if model.conditional else 0,
        steps=schedule.steps,
        max_d_steps=schedule.max_d_steps,
        pixel_range=cfg.data.range,
        lr_decay=instantiate(schedule.lr_decay, "schedule.lr_decay"),
        clip_gradients=schedule.clip_gradients,
        averaged_generator=AveragedGenerator(networks["generator"], ema.decay, ema.start) if ema.decay else None,
        log_every=min(cfg.trainer.log_every, schedule.evaluate_every),  # at least one logged point between evaluations
        growth=growth,
        evaluate_every=schedule.evaluate_every,
        evaluate_by=schedule.evaluate_by,
        faster_updates=FasterUpdates(cfg.trainer.compile, cfg.trainer.cuda_graph),
        accumulate=schedule.accumulate,
        on_oom=cfg.trainer.on_oom,
    )
    checks.check(cfg, gan)
    gan.configure_optimizers()  # finds a wrong setting of an optimizer before anything is written
    return gan


def build_objective(cfg: DictConfig, joint_batch: bool = False) -> Objective:
    """Return the adversarial loss with its penalties, constraint, auxiliary terms, augmentations and modifiers."""
    loss = cfg.loss
    return Objective(
        instantiate(loss.adversarial, "loss.adversarial"),
        instantiate_all(loss.penalties, "loss.penalties"),
        instantiate(loss.constraint, "loss.constraint"),
        instantiate_all(loss.auxiliary, "loss.auxiliary"),
        instantiate_all(cfg.augment, "augment").values(),
        instantiate_all(loss.modifiers, "loss.modifiers"),
        joint_batch,
    )


# Data


@overload
def build_image_set(cfg: DictConfig) -> ImageSet: ...
@overload
def build_image_set(cfg: DictConfig, split: str) -> ImageSet | None: ...
def build_image_set(cfg: DictConfig, split: str | None = None) -> ImageSet | None:
    """Return the training split, or the split with the name `split`; None for a test split that the dataset lacks.

    Label k means the same class in every split: the k-th class of data.classes or, if data.classes is null, the k-th
    class of the training split. Recently used splits stay in memory, so that training, scores and the next job of a
    sweep share them.

    Raises:
        UserError: files are missing; there is no training split; the training split has no labels, but data.classes
            names classes; a split has an unknown class; or data.num_classes is not the number of classes.
    """
    data = cfg.data
    image_set = _read_split(cfg, split) if split else _read_training_split(cfg)
    if image_set is None:
        return None
    classes = list(data.classes or _read_training_split(cfg).classes)
    if classes and (image_set.labels is not None or split in (None, data.split)):
        matched = _match_classes(image_set, classes, split or data.split)
    else:  # this split has no labels, or its labels are left out because the training split has no labels
        matched = image_set if image_set.labels is None else replace(image_set, labels=None, classes=[])
    if split is None and len(classes) != data.num_classes:
        raise UserError(
            f"data.num_classes={data.num_classes}, but the dataset has {count(len(classes), 'class')}: "
            f"set data.num_classes={len(classes)}"
        )
    return matched


def _match_classes(image_set: ImageSet, classes: list[str], split: str) -> ImageSet:
    try:
        return image_set.match_classes(classes)
    except UserError as error:
        raise UserError(f"{split} split: {error}") from None


def _read_training_split(cfg: DictConfig) -> ImageSet:
    image_set = _read_split(cfg, cfg.data.split)
    if image_set is None:
        raise UserError(f"data.split={cfg.data.split}: this dataset has no such split")
    return image_set


def _read_split(cfg: DictConfig, split: str) -> ImageSet | None:
    """Return a split with the dataset's own labels; None for a test split that the dataset lacks."""
    data = cfg.data
    node = to_plain(data.source)
    node |= _arguments_for(node, {"background": data.background})
    source = json.dumps(node, sort_keys=True)
    root = str(Path(data.root).expanduser())
    try:
        return _read_source(source, root, split, data.resolution, data.channels, Path.cwd())
    except UserError as error:
        if not str(error).startswith("path="):
            raise
        raise UserError(f"data.{error}") from None


@lru_cache(maxsize=2)  # room for two splits of one dataset
def _read_source(source: str, root: str, split: str, resolution: int, channels: int, _cwd: Path) -> ImageSet | None:
    """Read a split. `_cwd` is part of the cache key, because paths may be relative to the working directory."""
    size = {"resolution": resolution, "channels": channels}
    return check_image_set(instantiate(json.loads(source), "data.source", root=root, split=split, **size), **size)


def build_image_sets(cfg: DictConfig) -> dict[str, ImageSet]:
    """Return a dict: `train` is the training split; `test` is the test split, if the dataset has a separate one."""
    image_sets = {"train": build_image_set(cfg)}
    if "test" in available_splits(cfg)[1:] and (held_out := build_image_set(cfg, "test")) is not None:
        image_sets["test"] = held_out
    return image_sets


def available_splits(cfg: DictConfig) -> list[str]:
    """Return the name of the training split and, if the dataset has held-out images, `test`."""
    trained_on = cfg.data.split
    no_other = "test" in trained_on or _read_split(cfg, "test") is None
    return [trained_on] if no_other else [trained_on, "test"]


def images_to_train_on(cfg: DictConfig, image_set: ImageSet) -> ImageSet:
    """Return `image_set`, or a random part of it with data.training_images images if this setting is not null."""
    chosen = cfg.data.training_images
    return image_set if chosen is None else image_set.random_part(chosen)


def build_stream(cfg: DictConfig, image_set: ImageSet, device: torch.device) -> ImageStream:
    """Return an endless stream of training batches on `device`. `image_set` is the whole training split."""
    data, batch_size = cfg.data, cfg.schedule.batch_size
    if data.training_images is not None and data.training_images > len(image_set):
        raise UserError(
            f"data.training_images={data.training_images} is more than the {count(len(image_set), 'image')} of the "
            f"{data.split} split: use data.training_images={len(image_set)} or less, or null for all images"
        )
    image_set = images_to_train_on(cfg, image_set)
    if batch_size > len(image_set):
        raise UserError(
            f"schedule.batch_size={batch_size} is more than the {count(len(image_set), 'image')} to train on: "
            f"use schedule.batch_size={len(image_set)} or less"
        )
    devices = processes.total(cfg.trainer)
    if batch_size % devices:
        raise UserError(
            f"schedule.batch_size={batch_size}: {devices} devices share a batch, so its size must be a multiple of "
            f"{devices}: use schedule.batch_size={batch_size // devices * devices or devices}"
        )
    resident = data.in_memory
    if resident == "auto":
        resident = device.type == "cpu" or fits(len(image_set), data.resolution, data.channels, device)
    return ImageStream(
        image_set,
        batch_size,
        cfg.seed,
        data.flip,
        device,
        resident,
        data.workers,
        pixel_range=data.range,
        repeat_first_batch=cfg.debug.repeat_first_batch,
        rank=processes.rank(),
        processes=devices,
    )


def build_data(cfg: DictConfig, gan: GAN) -> StreamData:
    """Return the Lightning data module, which determines the number of samples in a validation.

    Raises:
        UserError: the last batch would have a single sample, but the generator needs larger batches.
    """
    samples, batch_size = cfg.metrics.samples if gan.scores else 0, cfg.metrics.batch_size
    if samples % batch_size == 1 and needs_batches(gan):
        raise UserError(
            f"metrics.samples={samples}: with metrics.batch_size={batch_size} the last batch has a single sample, but "
            "the batch norm of this generator uses the statistics of the batch. Change one of the two settings."
        )
    return StreamData(gan.stream, samples, batch_size, needs_batches(gan))


# Callbacks and loggers


def build_callbacks(
    cfg: DictConfig, run: RunDirectory, image_sets: Mapping[str, ImageSet], scores: Scores | None = None
) -> list[Callback]:
    """Return the callbacks of the config. They get only the training images that the run uses."""
    sets = {name: images_to_train_on(cfg, each) if name == "train" else each for name, each in image_sets.items()}
    available = dict(zip(CALLBACK_ARGUMENTS, (run, sets, scores), strict=True))
    return list(_build_all(cfg.callbacks, "callbacks", available).values())


def build_loggers(cfg: DictConfig, run: RunDirectory, resume_step: int) -> list[Logger]:
    """Return the loggers of the config.

    A logger can have the arguments `save_dir` (the path of the run directory), `run_directory`, `resume_step`, `name`
    (of the run) and `tags`. It receives each of these values, unless the config sets the argument.
    """
    values = (str(run.path), run, resume_step, cfg.name, list(cfg.get("tags") or []))
    available = dict(zip(LOGGER_ARGUMENTS, values, strict=True))
    return list(_build_all(cfg.logger, "logger", available).values())


def check_callbacks_and_loggers(cfg: DictConfig) -> None:
    """Check the arguments of callbacks and loggers, and that the packages of the loggers are installed.

    Call this before the run directory is created. Callbacks and loggers need this directory, so they are built later.

    Raises:
        UserError: an argument is wrong, or a package is missing.
    """
    for group, filled_in in (("callbacks", CALLBACK_ARGUMENTS), ("logger", LOGGER_ARGUMENTS)):
        for name, node in cfg[group].items():
            if node is not None:
                check(to_plain(node), f"{group}.{name}", _arguments_for(node, dict.fromkeys(filled_in)))
                target = locate(to_plain(node), f"{group}.{name}").func
                getattr(target, "check_installed", lambda: None)()


def _build_all(nodes: DictConfig, key: str, available: Mapping[str, Any]) -> dict[str, Any]:
    """Build every node that is not null, with the `available` arguments that `_arguments_for` chooses for this node."""
    named = {str(name): node for name, node in nodes.items() if node is not None}
    return {name: instantiate(node, f"{key}.{name}", **_arguments_for(node, available)) for name, node in named.items()}


def _arguments_for(node: Mapping[Any, Any] | DictConfig, available: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `available` arguments that the target of `node` accepts and that the node does not set."""
    try:
        parameters = inspect.signature(hydra.utils.get_object(node["_target_"])).parameters
    except Exception:  # instantiate explains what is wrong with the target
        return {}
    return {name: value for name, value in available.items() if name in parameters and name not in node}
