"""Run `ganexp describe`: describe the run that a config defines. Nothing is downloaded, and no dataset is needed."""

from collections.abc import Mapping
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn

from ganexp.build import build_gan
from ganexp.commands.estimation.estimate import estimate
from ganexp.config.instantiate import target_name, to_plain
from ganexp.data.contents import contents
from ganexp.losses.objective import Batch
from ganexp.training.gan import GAN
from ganexp.training.length import epochs_of, in_steps, known_images


def describe(cfg: DictConfig, groups: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of the resolved `cfg`, with some of the options that are chosen in the config `groups`.

    These are the options of `experiment`, `as_published` and `metrics`. If `cfg.estimate` is true, the description
    includes the estimated cost of the run on this machine.
    """
    cfg = in_steps(cfg, known_images(cfg))
    chosen = {group: groups.get(group) for group in ("experiment", "as_published", "metrics")}
    cost = {"estimate": estimate(cfg)} if cfg.estimate else {}
    return chosen | description(cfg) | cost


def description(cfg: DictConfig) -> dict[str, Any]:
    """Return the data, networks, losses, update rule, optimizers and length of the run that `cfg` describes."""
    gan = build_gan(cfg)
    adversarial = cfg.loss.adversarial
    loss, schedule = to_plain(cfg.loss), to_plain(cfg.schedule)
    return {
        "data": _data(cfg),
        "conditional": cfg.model.conditional,
        "latent": to_plain(cfg.model.latent),
        **{name: _network(network, _network_config(cfg, name)) for name, network in gan.networks.items()},
        "loss": {"name": target_name(adversarial), "settings": _settings(adversarial)} | _terms(cfg, gan),
        "auxiliary": loss["auxiliary"],
        "penalties": loss["penalties"],
        "modifiers": loss["modifiers"],
        "constraint": loss["constraint"],
        "augment": to_plain(cfg.augment),
        "joint_batch": gan.objective.joint_batch,
        "updates": schedule["updates"],
        "optimizers": to_plain(cfg.optimizer),
        "learning_rates": _learning_rates(gan),
        **_length(cfg, gan),
        "evaluate_every": cfg.schedule.evaluate_every,
        "evaluate_by": cfg.schedule.evaluate_by,
        "keep_at": schedule["keep_at"],
        "lr_decay": schedule["lr_decay"],
        "growth": schedule["growth"],
        "ema": None if schedule["ema"]["decay"] is None else schedule["ema"],
        "scores": [name for name, node in cfg.metrics.scores.items() if node] if cfg.metrics.extractor else None,
        "samples": cfg.metrics.samples if cfg.metrics.extractor else None,
        "seed": cfg.seed,
    }


def _data(cfg: DictConfig) -> dict[str, Any]:
    keys = ("split", "resolution", "channels", "range", "flip")
    source = to_plain(cfg.data.source)
    return {
        "source": target_name(source),
        "classes": cfg.data.num_classes,
        **{key: cfg.data[key] for key in keys},
        **contents(source, cfg.data.resolution, cfg.data.channels),
    }


def _learning_rates(gan: GAN) -> dict[str, float]:
    """Return each network's learning rate at the start of the run, after it was scaled to the batch size."""
    optimizers, _ = gan.configure_optimizers()
    return {name: each.param_groups[0]["lr"] for name, each in zip(gan.networks, optimizers, strict=True)}


def _length(cfg: DictConfig, gan: GAN) -> dict[str, Any]:
    """Return the length of the run in several units. A length that depends on the losses or is not known is None."""
    d_steps = cfg.schedule.max_d_steps
    ratio = gan.update_rule.updates_per_step
    if d_steps is None and ratio is not None:
        d_steps = int(ratio * cfg.schedule.steps)
    batch_size = cfg.schedule.batch_size
    images = None if d_steps is None else d_steps * batch_size
    return {
        "steps": cfg.schedule.steps,
        "epochs": epochs_of(cfg, known_images(cfg)),
        "discriminator_steps": d_steps,
        "batch_size": batch_size,
        "accumulate": cfg.schedule.accumulate,
        "total_images": images,
    }


def _network_config(cfg: DictConfig, name: str) -> DictConfig:
    return cfg.model[name] if name in ("generator", "discriminator") else cfg.model.auxiliary[name]


def _network(network: nn.Module, node: DictConfig) -> dict[str, Any]:
    kind = type(network)
    return {
        "name": f"{kind.__module__.removeprefix('ganexp.models.')}.{kind.__name__}",
        "parameters": sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad),
        "settings": _settings(node),
    }


def _settings(node: DictConfig) -> dict[str, Any]:
    return {key: value for key, value in to_plain(node).items() if key != "_target_"}


def _terms(cfg: DictConfig, gan: GAN) -> dict[str, list[str]]:
    """Compute the loss terms of each network once, with zeros as the two real images, and return the terms' names."""
    labels = torch.zeros(2, dtype=torch.long) if gan.num_classes else None
    real = torch.zeros(2, cfg.data.channels, cfg.data.resolution, cfg.data.resolution)
    fake = gan.generator(gan.latent.sample(2), labels)
    batch = Batch(real, labels, fake, labels)
    return {f"{name}_terms": list(gan.objective.terms(name, gan.networks, batch)) for name in gan.networks}
