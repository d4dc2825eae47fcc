"""Choose how many CPU threads a training uses, and warn if other programs already use the cores."""

import copy
import os
import time
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from omegaconf import DictConfig

from ganexp.commands.estimation.flops import FlopCounter
from ganexp.console import say_once
from ganexp.training import processes
from ganexp.training.gan import GAN
from ganexp.training.schedules import set_stage

# One more thread is used for each FLOPS_PER_THREAD floating-point operations that both networks together make on a
# batch. If each thread had fewer operations, the threads would wait for each other.
FLOPS_PER_THREAD = 500_000_000
PROBED_IMAGES = 2  # the smallest batch that batch norm accepts
VARIABLE = "OMP_NUM_THREADS"
# There is a warning if a run has more threads than this multiple of the free cores. Some cores always count as free,
# because other programs get less than all cores while they compete with this process.
MOST_THREADS_PER_FREE_CORE = 1.25


@cache
def available_threads() -> int:
    """Return torch's number of threads at the first call of this function: by default, the number of cores."""
    return torch.get_num_threads()


def choose_threads(cfg: DictConfig, gan: GAN) -> None:
    """Set the number of torch's threads for a training, and store it in `cfg`, so that a resumed run keeps it."""
    cfg.trainer.threads = use_threads(cfg.trainer.threads, gan, *_share(cfg))
    warn_of_busy_machine(torch.get_num_threads(), cfg.trainer.devices)


def _share(cfg: DictConfig) -> tuple[int, int]:
    """Return how many images of a batch one machine gets, and how many processes of the machine share them."""
    devices = cfg.trainer.devices
    return cfg.schedule.batch_size * devices // processes.total(cfg.trainer), devices


def use_threads(setting: int | Literal["auto"], gan: GAN, batch_size: int, devices: int = 1) -> int:
    """Set the number of torch's threads for a training, and return it.

    Args:
        setting: the value of trainer.threads. For `auto`, the number is `OMP_NUM_THREADS` if this variable is set.
            Otherwise it is one, plus one for each `FLOPS_PER_THREAD` operations of both networks on the images of one
            process, up to the number of cores for one process.
        gan: the networks, which are not changed.
        batch_size: the number of images in an update, summed over all devices of this machine.
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

    Networks that grow are counted at their size at the end of the run. The operations are counted with copies of the
    networks and without changing the state of the random generator. If the networks do not accept a batch of two
    images, the result is infinite.
    """
    labels = torch.zeros(PROBED_IMAGES, dtype=torch.long) if gan.num_classes else None
    networks = copy.deepcopy(gan.networks)
    set_stage(networks.values(), gan.steps, gan.growth)
    with torch.random.fork_rng(devices=[]), torch.no_grad(), FlopCounter() as counter:
        try:
            networks["discriminator"](networks["generator"](gan.latent.sample(PROBED_IMAGES), labels), labels)
        except (RuntimeError, ValueError):
            return float("inf")
    return counter.flops / PROBED_IMAGES


def warn_of_busy_machine(threads: int, devices: int = 1) -> None:
    """Print a warning if other programs leave fewer cores free than the run has threads.

    Args:
        threads: the number of threads of this process.
        devices: the number of processes of this machine that train together. Each of them may use a core.
    """
    others = cores_of_others()
    if others is None:
        return
    free = (os.cpu_count() or 1) - max(others - (devices - 1), 0.0)
    if threads > MOST_THREADS_PER_FREE_CORE * free:
        fewer = " Fewer threads may be faster: trainer.threads=1" if threads > 1 else ""
        say_once(
            f"warning: the machine is busy, so this run may be slow: the run has trainer.threads={threads}, and other "
            f"programs leave fewer cores than that.{fewer}"
        )


def cores_of_others() -> float | None:
    """Return how many cores other programs have used, on average, since this module was imported.

    Return None if less than a tenth of a second has passed, or if the platform does not report the use of the cores.
    """
    now = _cpu_use()
    if now is None or _AT_IMPORT is None:
        return None
    passed, busy, own = (after - before for after, before in zip(now, _AT_IMPORT, strict=True))
    return max(busy - own, 0.0) / passed if passed > 0.1 else None


def _cpu_use() -> tuple[float, float, float] | None:
    """Return the time, the busy time of all cores, and the CPU time of this process, in seconds; None if unknown."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:  # the platform is not Linux, or hides the use of the cores
        return None
    user, nice, system, _idle, _waiting, *interrupts = map(int, fields[:7])  # user includes the time of guests
    busy = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
    return time.monotonic(), busy, time.process_time()


_AT_IMPORT = _cpu_use()
