"""Refuse settings that do not suit the device, or the number of devices. `checks.py` runs these checks."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from omegaconf import DictConfig

from ganexp.console import count
from ganexp.errors import UserError
from ganexp.sampling import needs_batches
from ganexp.training.ddp import unsynchronised
from ganexp.training.processes import total

if TYPE_CHECKING:
    from ganexp.training.gan import GAN


def check_hardware(trainer: DictConfig, device: torch.device) -> None:
    """Check that this machine can train with these settings. Evaluations of the same run may use other hardware.

    Args:
        trainer: the section `trainer` of the config.
        device: the chosen device.

    Raises:
        UserError: there are fewer GPUs than devices, or batch norm is synchronised without GPUs.
    """
    found = torch.cuda.device_count()
    if device.type == "cuda" and trainer.devices > max(found, 1):
        raise UserError(
            f"trainer.devices={trainer.devices}: the number of GPUs here is {found}: use trainer.devices={found}"
        )
    if device.type == "cpu" and total(trainer) > 1 and trainer.sync_batchnorm:
        raise UserError("trainer.sync_batchnorm=true: torch's synchronised batch norm needs GPUs: remove the setting")


def check_shares(cfg: DictConfig, gan: "GAN") -> None:
    """Check that every device gets samples to score.

    If the images depend on the other images of their batch, the devices share whole batches, so that the scores are
    those of one device.

    Raises:
        UserError: there are fewer samples, or fewer batches of samples, than devices.
    """
    devices, samples, size = total(cfg.trainer), cfg.metrics.samples, cfg.metrics.batch_size
    if cfg.metrics.extractor is None or devices == 1:
        return
    if samples < devices:
        raise UserError(f"metrics.samples={samples}: each of the {devices} devices needs a sample: score more samples")
    if needs_batches(gan) and (batches := math.ceil(samples / size)) < devices:
        raise UserError(
            f"metrics.batch_size={size}: the metrics.samples={samples} samples are {count(batches, 'batch')}, and each "
            f"of the {devices} devices needs a batch. This generator uses the statistics of its batch, so the size of "
            "the batches matters: use a smaller metrics.batch_size, or score more samples"
        )


def whole_updates_have_one_device(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that neither a CUDA graph nor a compiled function would contain an exchange between devices."""
    for name, what in (("cuda_graph", "a CUDA graph"), ("compile", "a compiled update")):
        if (devices := total(cfg.trainer)) > 1 and cfg.trainer[name] is True:
            yield (
                f"trainer.{name}=true with {devices} devices: the exchange of gradients between devices is not part of "
                f"{what}: use trainer.{name}=false"
            )


def modifiers_suit_several_devices(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that no modifier has a state that would differ between the devices."""
    for name, modifier in gan.objective.modifiers.items():
        if total(cfg.trainer) > 1 and getattr(modifier, "needs_one_device", False):
            yield (
                f"loss.modifiers.{name} keeps a state of its own on each device, and a checkpoint would not have all "
                f"of these states: use one device, or leave {name} out"
            )


def batch_norm_can_be_synchronised(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that torch can synchronise every batch norm layer, if batch norm is to be synchronised."""
    if total(cfg.trainer) == 1 or not cfg.trainer.sync_batchnorm:
        return
    for name, network in gan.networks.items():
        if layers := unsynchronised(network):
            yield (
                f"trainer.sync_batchnorm=true: model.{name} has a batch norm that is not torch's and cannot be "
                f"synchronised ({layers[0]}): leave this setting out, or use another norm"
            )


def deterministic_algorithms_are_not_timed(cfg: DictConfig, gan: "GAN") -> Iterator[str]:
    """Check that cuDNN does not choose algorithms by timing, which varies, if training is deterministic."""
    if cfg.trainer.deterministic and cfg.trainer.benchmark:
        yield "trainer.benchmark=true chooses algorithms by their speed: leave it out if you use trainer.deterministic"


RULES = (
    deterministic_algorithms_are_not_timed,
    whole_updates_have_one_device,
    modifiers_suit_several_devices,
    batch_norm_can_be_synchronised,
)
