"""Choose how many threads of a CPU train a run, and warn if the machine has more work than cores."""

import copy
import os
from functools import cache
from typing import Literal

import torch
from omegaconf import DictConfig

from ganexp.commands.estimation.flops import FlopCounter
from ganexp.console import say_once
from ganexp.training import processes
from ganexp.training.gan import GAN

FLOPS_PER_THREAD = 500_000_000  # operations of both networks on a batch; with fewer, threads wait for each other
PROBED_IMAGES = 2  # the fewest that batch norm accepts
VARIABLE = "OMP_NUM_THREADS"


@cache
def available_threads() -> int:
    """Return the number of threads that torch had at the first call, which is the number of cores by default."""
    return torch.get_num_threads()


def choose_threads(cfg: DictConfig, gan: GAN) -> None:
    """Set the number of torch's threads for a training, and store it in `cfg`, so that a resumed run keeps it.

    For a run of an older version, whose config has no such setting, the number is not changed.
    """
    setting = cfg.trainer.get("threads")
    if setting is not None:
        cfg.trainer.threads = use_threads(setting, gan, *_share(cfg))
    warn_of_busy_machine(torch.get_num_threads())


def _share(cfg: DictConfig) -> tuple[int, int]:
    """Return the number of images that the processes of a machine share, and the number of these processes."""
    devices = cfg.trainer.devices
    return cfg.schedule.batch_size * devices // processes.total(cfg.trainer), devices


def use_threads(setting: int | Literal["auto"], gan: GAN, batch_size: int, devices: int = 1) -> int:
    """Set the number of torch's threads for a training, and return it.

    Args:
        setting: trainer.threads. With `auto` the number is `OMP_NUM_THREADS` if that is set, and otherwise one thread,
            and another one for each `FLOPS_PER_THREAD` operations of both networks on a batch, up to the number of
            cores.
        gan: the networks, which are not changed.
        batch_size: the number of images in an update, of all devices of this machine together.
        devices: the number of processes of this machine that train together. They share the images and the cores.
    """
    available = max(available_threads() // devices, 1)
    if setting != "auto":
        threads = setting
    elif os.environ.get(VARIABLE):
        threads = available_threads()
    elif available == 1:
        threads = 1
    else:
        threads = 1 + int(min(count_flops(gan) * batch_size / devices / FLOPS_PER_THREAD, available - 1))
    torch.set_num_threads(threads)
    return threads


def count_flops(gan: GAN) -> float:
    """Return the number of floating-point operations for drawing an image and passing it through the discriminator.

    They are counted with copies of the networks and without changing the state of the random generator. Networks that
    do not accept two images count as infinitely large.
    """
    labels = torch.zeros(PROBED_IMAGES, dtype=torch.long) if gan.num_classes else None
    networks = copy.deepcopy(gan.networks)
    with torch.random.fork_rng(devices=[]), torch.no_grad(), FlopCounter() as counter:
        try:
            networks["discriminator"](networks["generator"](gan.latent.sample(PROBED_IMAGES), labels), labels)
        except (RuntimeError, ValueError):
            return float("inf")
    return counter.flops / PROBED_IMAGES


def warn_of_busy_machine(threads: int) -> None:
    """Print a warning if other programs leave fewer cores than the run has threads."""
    try:
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
    except (AttributeError, OSError):  # this platform does not report a load
        return
    if load + threads > cores + 1:  # the load of this program's own start is below 1
        fewer = " Fewer threads may be faster: trainer.threads=1" if threads > 1 else ""
        say_once(
            f"warning: the machine is busy, so this run will be slow: other programs use so many cores that "
            f"trainer.threads={threads} is more than what is free.{fewer}"
        )
