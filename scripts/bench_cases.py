"""Networks and configurations that several benchmarks use."""

import platform
import statistics
from collections.abc import Sequence

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from ganexp import build
from ganexp.cli import CONF
from ganexp.config import schema
from ganexp.config.composition import VERSION_BASE
from ganexp.console import count
from ganexp.data.stream import ImageStream
from ganexp.training.gan import GAN

# The cases train published networks at full width, with synthetic images, so that no dataset is needed.
FAKE = (
    "data=fake",
    "data.source.size=2048",
    "metrics=none",
    "schedule.epochs=null",
    "schedule.evaluate_every_epochs=null",
)
CASES = {
    "digits": ("data.resolution=8", "data.channels=1", "model=mlp", "loss=wgan_gp", "schedule.batch_size=128"),
    "dcgan_mnist": (
        "data.resolution=28",
        "data.channels=1",
        "model=dcgan_mnist",
        "loss=non_saturating",
        "schedule.batch_size=64",
    ),
    "dcgan": ("data.resolution=32", "model=dcgan", "loss=non_saturating", "schedule.batch_size=128"),
    "wgan_gp": (
        "data.resolution=32",
        "model=sngan",
        "loss=wgan_gp",
        "model.discriminator.spectral_norm=none",
        "schedule.batch_size=64",
        "schedule.updates.n_critic=5",
    ),
    "sngan": (
        "data.resolution=32",
        "data.num_classes=10",
        "model=sngan",
        "model.conditional=true",
        "loss=hinge",
        "schedule.batch_size=64",
        "schedule.updates.n_critic=5",
    ),
    "sagan": (
        "data.resolution=32",
        "data.num_classes=10",
        "model=sagan",
        "model.conditional=true",
        "loss=hinge",
        "schedule.batch_size=256",
        "schedule.updates.n_critic=1",
    ),
}


def compose_case(overrides: Sequence[str]) -> DictConfig:
    """Return the resolved config of a training run; its images are synthetic unless an override chooses a dataset."""
    chosen = [*FAKE, *overrides]
    if [each for each in chosen if each.startswith("data=")][-1] != "data=fake":
        chosen = [each for each in chosen if not each.startswith("data.source.")]  # other datasets have other arguments
    schema.register()
    with initialize_config_dir(str(CONF), **VERSION_BASE):
        return schema.resolve(compose("train", chosen))


def build_case(cfg: DictConfig, device: torch.device) -> tuple[GAN, ImageStream]:
    """Return the GAN of a config, and its stream of real images on `device`."""
    torch.manual_seed(0)
    gan = build.build_gan(cfg)
    image_set = build.build_image_set(cfg)
    if image_set is None:
        raise SystemExit("the dataset has no split to train on")
    stream = build.build_stream(cfg, image_set, device)
    gan.connect(stream)
    return gan, stream


def spread(values: Sequence[float]) -> str:
    """Return the median, the smallest and the largest of the values as text."""
    return f"median {statistics.median(values):.3f}, from {min(values):.3f} to {max(values):.3f}"


def machine(device: torch.device) -> str:
    """Return the name of the device and the versions of torch and Python, for the head of a table."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {count(torch.get_num_threads(), 'thread')}"
    return f"{name}; torch {torch.__version__}, Python {platform.python_version()}"
