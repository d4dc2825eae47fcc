"""`ganexp describe`: what would run, as JSON on stdout and nothing else. Needs no data."""

from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from ganexp.build import build_gan
from ganexp.commands.estimate import estimate
from ganexp.training.gan import GAN


def describe(cfg: DictConfig, groups: dict[str, Any]) -> dict[str, Any]:
    """The description of the resolved `cfg`, with the case and the overlay among the chosen `groups`.

    With `cfg.estimate` also what the run will cost on this machine.
    """
    told = {"experiment": groups.get("experiment"), "as_published": groups.get("as_published")} | description(cfg)
    return told | ({"estimate": estimate(cfg)} if cfg.estimate else {})


def description(cfg: DictConfig) -> dict[str, Any]:
    """Data, networks, losses, update rule, optimizers and length of the run that `cfg` describes."""
    gan = build_gan(cfg)
    schedule = OmegaConf.to_container(cfg.schedule)
    ratio = gan.update.updates_a_step
    d_steps = schedule["max_d_steps"] or (ratio and ratio * cfg.schedule.steps)
    return {
        "data": {"source": _name(cfg.data.source), "split": cfg.data.split, "resolution": cfg.data.resolution,
                 "channels": cfg.data.channels, "classes": cfg.data.num_classes, "range": cfg.data.range,
                 "flip": cfg.data.flip},
        "conditional": cfg.model.conditional,
        "latent": OmegaConf.to_container(cfg.model.latent),
        "generator": _network(gan.generator, cfg.model.generator),
        "discriminator": _network(gan.discriminator, cfg.model.discriminator),
        "classifier": _network(gan.classifier, cfg.model.classifier) if gan.classifier else None,
        "loss": {"name": _name(cfg.loss.adversarial), "settings": _settings(cfg.loss.adversarial)} | _terms(cfg, gan),
        "auxiliary": _settings(cfg.loss.auxiliary) if cfg.loss.auxiliary else None,
        "penalties": OmegaConf.to_container(cfg.loss.penalties),
        "constraint": OmegaConf.to_container(cfg.loss.constraint) if cfg.loss.constraint else None,
        "updates": schedule["updates"],
        "optimizers": OmegaConf.to_container(cfg.optimizer),
        "learning_rates": gan.learning_rates(),
        "steps": cfg.schedule.steps,
        "discriminator_steps": d_steps,
        "batch_size": cfg.schedule.batch_size,
        "total_images": d_steps and d_steps * cfg.schedule.batch_size,
        "evaluate_every": cfg.schedule.evaluate_every,
        "lr_decay": schedule["lr_decay"],
        "ema": schedule["ema"],
        "metrics": _name(cfg.metrics.extractor) if cfg.metrics.extractor else None,
        "seed": cfg.seed,
    }  # fmt: skip


def _network(network: nn.Module, node: DictConfig) -> dict[str, Any]:
    kind = type(network)
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return {
        "name": f"{kind.__module__.removeprefix('ganexp.models.')}.{kind.__name__}",
        "parameters": trainable,
        "settings": _settings(node),
    }


def _settings(node: DictConfig) -> dict[str, Any]:
    return {key: value for key, value in OmegaConf.to_container(node).items() if key != "_target_"}


def _name(node: DictConfig) -> str:
    return node._target_.rsplit(".", 1)[-1]


def _terms(cfg: DictConfig, gan: GAN) -> dict[str, list[str]]:
    """The names of both networks' terms, from two made images put through them."""
    labels = torch.zeros(2, dtype=torch.long) if gan.num_classes else None
    real = torch.zeros(2, cfg.data.channels, cfg.data.resolution, cfg.data.resolution)
    fake = gan.generator(gan.latent.sample(2), labels)
    return {
        "discriminator_terms": list(
            gan.objective.discriminator(gan.discriminator, real, labels, fake.detach(), labels)
        ),
        "generator_terms": list(gan.objective.generator(gan.discriminator, fake, labels, real, labels, gan.classifier)),
    }
