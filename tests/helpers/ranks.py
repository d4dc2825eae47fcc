"""Train and score in two processes that share the random draws, or in one process that uses all of these draws."""

import math
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric.plugins.environments.lightning import find_free_network_port
from torch.distributed import TCPStore

import helpers.processes  # noqa: F401  (tells the fork server what to import)
from ganexp.commands.prepare import prepare
from ganexp.commands.train import fit_with_others
from ganexp.data import stream
from ganexp.errors import UserError
from ganexp.models.latent import Latent
from ganexp.runs.run_directory import RunDirectory
from ganexp.training import processes
from ganexp.training import trainer as trainers
from ganexp.training.processes import Group
from helpers import config_cache
from helpers.config import config

SIZE = 2
COMMON = (
    "trainer.accelerator=cpu",
    "trainer.log_every=5",
    "schedule.steps=20",
    "schedule.evaluate_every=20",
    "schedule.batch_size=8",
    "metrics=none",
    "callbacks=none",
    "data.flip=true",
    "optimizer.generator.eps=1e-3",  # with a small eps, Adam makes large steps even if gradients are rounding errors
    "optimizer.discriminator.eps=1e-3",
)
SCORED = (
    "metrics=classifier",
    "metrics/score=[is,fid,kid,accuracy,diversity,neighbours,swd,intra_fid]",
    "metrics.samples=101",
    "metrics.splits=2",
    "metrics.batch_size=30",
    "metrics.extractor.updates=20",
    "model.conditional=true",
)


def run_ranks(function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Return the results of `function(*arguments)` in both processes, in the order of their ranks."""
    port = find_free_network_port()
    with ProcessPoolExecutor(SIZE, get_context("forkserver")) as pool:
        calls = [pool.submit(_call, rank, port, dict(os.environ), function, arguments) for rank in range(SIZE)]
        return [call.result(timeout=400) for call in calls]


def _call(
    rank: int, port: int, environ: dict[str, str], function: Callable[..., Any], arguments: tuple[Any, ...]
) -> Any:
    os.environ.update(environ | {"RANK": str(rank)})
    torch.set_num_threads(1)
    processes.join(Group(rank, SIZE, SIZE), TCPStore("127.0.0.1", port, SIZE, rank == 0))
    try:
        return function(*arguments)
    finally:
        processes.leave()


def share_draws(patch: pytest.MonkeyPatch) -> None:
    """Let this process draw the latents, labels and epsilons of all processes, but use only its own share."""
    rank = processes.rank()

    def share(draw: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def draw_share(*arguments: Any, **options: Any) -> torch.Tensor:
            if options.get("generator") is not None:  # with a random generator, all processes draw the same numbers
                return draw(*arguments, **options)
            *others, shape = arguments
            count = shape[0]
            return draw(*others, (count * SIZE, *shape[1:]), **options)[rank * count : (rank + 1) * count]

        return draw_share

    def sample(latent: Latent, count: int, *arguments: Any, **options: Any) -> torch.Tensor:
        if options.get("generator") is not None or len(arguments) > 1:
            return sample_all(latent, count, *arguments, **options)
        return sample_all(latent, count * SIZE, *arguments, **options)[rank * count : (rank + 1) * count]

    sample_all = Latent.sample
    patch.setattr(Latent, "sample", sample)
    patch.setattr(torch, "rand", share(torch.rand))
    patch.setattr(torch, "randint", share(torch.randint))


def train(words, directory, nodes=1):
    """Train, and return the weights, the last logged values, and the number of discriminator updates.

    The processes pretend to run on `nodes` machines.
    """
    cfg = config(*COMMON, *words, f"trainer.devices={processes.count() // nodes}", f"trainer.num_nodes={nodes}")
    prepared = prepare(cfg)
    with pytest.MonkeyPatch.context() as patch:
        if processes.count() > 1:
            share_draws(patch)
        fit_with_others(cfg, RunDirectory(Path(directory)), prepared)
    weights = {name: value.numpy() for name, value in prepared.gan.state_dict().items()}
    return weights, prepared.gan.logged, prepared.gan.d_steps


def train_all(runs):
    """Return the results of `train` for each of the runs; a run is a tuple of the arguments of `train`."""
    config_cache.install()
    return [train(*arguments) for arguments in runs]


def train_without_exchange(words, directory):
    """Train, but do not average tensors over the processes."""
    processes.average = lambda tensors: None
    return train(words, directory)


def score(directory):
    """Return the scores of the untrained generator."""
    cfg = config(*COMMON, *SCORED, f"trainer.devices={processes.count()}")
    prepared = prepare(cfg)
    trainers.validate(prepared.gan, prepared.data, prepared.device, arguments={"devices": processes.count()})
    return prepared.gan.score_values


def diverge(directory):
    """Train while the images of one process are NaN, and return the error and the last step of the GAN."""
    cfg = config(*COMMON, f"trainer.devices={processes.count()}")
    prepared = prepare(cfg)
    if processes.rank():
        stream.from_uint8 = lambda pixels, _: torch.full(pixels.shape, math.nan)
    with pytest.raises(UserError) as error:
        fit_with_others(cfg, RunDirectory(Path(directory)), prepared)
    return str(error.value), prepared.gan.step


def exhaust_memory(directory):
    """Return the error of a training in which one process runs out of memory."""
    cfg = config(*COMMON, f"trainer.devices={processes.count()}", "trainer.on_oom=halve")
    prepared = prepare(cfg)
    if processes.rank():
        prepared.gan.objective.terms = _no_memory
    with pytest.raises((UserError, RuntimeError)) as error:
        fit_with_others(cfg, RunDirectory(Path(directory)), prepared)
    return str(error.value)


def _no_memory(*arguments, **options):
    raise torch.OutOfMemoryError("no memory left")
