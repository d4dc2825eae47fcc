"""Refuse batches that do not fit the loss, or cannot be divided into equal parts. `checks.py` lists these rules."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from ganexp.console import count
from ganexp.training.accumulation import least_images
from ganexp.training.processes import total

if TYPE_CHECKING:
    from ganexp.training.gan import GAN


def batch_has_equal_parts(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that each device can divide its images of a batch into equal parts."""
    batch_size, parts, devices = cfg.schedule.batch_size, cfg.schedule.accumulate, total(cfg.trainer)
    if parts == 1 or batch_size % (parts * devices) == 0:
        return
    places = f"{parts} parts" if devices == 1 else f"{parts} parts on each of {devices} devices"
    fitting = [number for number in range(1, min(parts, batch_size) + 1) if batch_size % (number * devices) == 0] or [1]
    yield (
        f"schedule.accumulate={parts} schedule.batch_size={batch_size}: the images of a batch cannot be divided into "
        f"{places} of equal size: use schedule.accumulate={fitting[-1]}, or a multiple of {parts * devices} as "
        "schedule.batch_size"
    )


def parts_have_enough_images(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that each part of a batch has as many images as batch norm and the adversarial loss need."""
    batch_size, parts, devices = cfg.schedule.batch_size, cfg.schedule.accumulate, total(cfg.trainer)
    is_synchronised = cfg.trainer.sync_batchnorm and devices > 1
    least = least_images(gan.networks, gan.objective, is_synchronised)
    images = batch_size // (parts * devices)
    if images >= least or not images:  # `batch_has_equal_parts` refuses parts without images
        return
    per_device = batch_size // devices
    fitting = [number for number in range(1, parts) if per_device % number == 0 and per_device // number >= least]
    fewer_parts = f"schedule.accumulate={fitting[-1]}, or " if fitting else ""
    places = "" if devices == 1 else f" on each of {devices} devices"
    yield (
        f"schedule.batch_size={batch_size} schedule.accumulate={parts}: each part of a batch has "
        f"{count(images, 'image')}{places}, but the batch norm or the loss of this run needs "
        f"at least {least}: use {fewer_parts}schedule.batch_size={least * parts * devices} or more"
    )


def parts_are_not_recorded(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that no CUDA graph is requested if the batch of an update is divided into parts."""
    if cfg.schedule.accumulate > 1 and cfg.trainer.cuda_graph is True:
        yield (
            f"schedule.accumulate={cfg.schedule.accumulate} trainer.cuda_graph=true: a CUDA graph needs whole batches: "
            "use only one of the two settings"
        )


def pairs_have_one_class(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that the two images of each pair have the same class if the adversarial loss compares pairs of images."""
    if not cfg.model.conditional or not getattr(gan.objective.adversarial, "pairs_images", False):
        return
    labels = gan.update_rule.labels
    if drawn := [network for network in ("discriminator", "generator") if labels[network] != "real"]:
        yield (
            "loss.adversarial: this loss compares a real and a generated image, which need the same class: set "
            + " ".join(f"schedule.updates.labels.{network}=real" for network in drawn)
        )
    for name, modifier in gan.objective.modifiers.items():
        if hasattr(modifier, "change_fakes"):
            yield (
                f"loss.modifiers.{name} gives the discriminator other generated images, but this loss compares each "
                "generated image with a real image of the same class: leave out this modifier, or use another loss or "
                "model.conditional=false"
            )


def mixtures_have_one_class(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that no modifier replaces generated images that a penalty mixes with real images of the same class."""
    mixing = [name for name, penalty in gan.objective.penalties.items() if _mixes_what_modifiers_return(penalty)]
    for name, modifier in gan.objective.modifiers.items():
        if cfg.model.conditional and mixing and hasattr(modifier, "change_fakes"):
            yield (
                f"loss.modifiers.{name} gives the discriminator other generated images, but loss.penalties.{mixing[0]} "
                "mixes each generated image with a real image of the same class: leave out this modifier, or use "
                "another loss or model.conditional=false"
            )


def _mixes_what_modifiers_return(penalty: object) -> bool:
    needs_pairs = getattr(penalty, "needs_gradient", True) and getattr(penalty, "needs_equal_labels", True)
    return needs_pairs and hasattr(penalty, "of_outputs")


RULES = (
    batch_has_equal_parts,
    parts_have_enough_images,
    parts_are_not_recorded,
    pairs_have_one_class,
    mixtures_have_one_class,
)
