"""Compare the time of a training step in ganexp and in torch-mimicry; the two take turns in one process."""

import importlib
import statistics
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import torch
from bench_cases import build_case, compose_case, machine
from bench_step import Rounds
from torch import Tensor

from ganexp.commands.estimation.timing import clock
from ganexp.data.datamodule import StreamData
from ganexp.data.stream import ImageStream
from ganexp.training import trainer as trainers

MIMICRY = "torch-mimicry==0.1.16"
LATENTS, CLASSES = 128, 10


class NoLog:
    """A replacement for mimicry's log that stores nothing."""

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""


class MimicryLoop:
    """Train mimicry's SNGAN for 32x32 images, with mimicry's own training steps and the settings of its examples."""

    def __init__(
        self, device: torch.device, widths: tuple[int, int], n_critic: int, conditional: bool, stream: ImageStream
    ) -> None:
        self.device, self.n_critic, self.stream = device, n_critic, stream
        name = "cgan_pd" if conditional else "sngan"
        nets = importlib.import_module(f"torch_mimicry.nets.{name}")
        prefix, classes = ("CGANPD", {"num_classes": CLASSES}) if conditional else ("SNGAN", {})
        self.generator = getattr(nets, f"{prefix}Generator32")(ngf=widths[0], **classes).to(device)
        self.discriminator = getattr(nets, f"{prefix}Discriminator32")(ndf=widths[1], **classes).to(device)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), 2e-4, betas=(0.0, 0.9))
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), 2e-4, betas=(0.0, 0.9))

    def step(self) -> None:
        """Update the discriminator `n_critic` times, and the generator once."""
        common = {"log_data": NoLog(), "device": self.device, "global_step": 0}
        for _ in range(self.n_critic):
            batch = self._batch()
            self.discriminator.train_step(batch, netG=self.generator, optD=self.d_optimizer, **common)
        self.generator.train_step(batch, netD=self.discriminator, optG=self.g_optimizer, **common)

    def _batch(self) -> tuple[Tensor, Tensor | None]:
        batch = next(self.stream)
        return batch.images, batch.labels


class InTurns(Rounds):
    """Let mimicry train for at least `seconds` seconds after each round of ganexp."""

    def __init__(self, device: torch.device, rounds: int, seconds: float, peer: MimicryLoop) -> None:
        super().__init__(device, rounds + 1, seconds)
        self.peer = peer
        self.peers: list[float] = []

    def _end_of_round(self, trainer: Any) -> None:
        before = len(self.times)
        super()._end_of_round(trainer)
        if len(self.times) > before:
            steps, started = 0, clock(self.device)
            while clock(self.device) - started < self.seconds:
                self.peer.step()
                steps += 1
            self.peers.append((clock(self.device) - started) / steps)
            self._started = clock(self.device)


def peers(device: torch.device, rounds: int, seconds: float, package: str | None, overrides: list[str]) -> None:
    """Print how many times faster ganexp's step is than mimicry's, for several widths and numbers of critic updates.

    Args:
        device: the device to train on.
        rounds: number of timed rounds of each comparison, after one round to warm up.
        seconds: shortest time for which ganexp and mimicry each train in a round.
        package: directory that contains `torch_mimicry`. If None, the package is installed into a temporary directory.
        overrides: further overrides of ganexp.
    """
    with tempfile.TemporaryDirectory() as scratch:
        import_mimicry(package or install_mimicry(scratch))
        print(machine(device), "; ganexp's overrides:", " ".join(overrides) or "none")
        cases = [(64, 16, 1, False), (64, 16, 5, False), (256, 16, 1, False)]
        for width, batch_size, n_critic, conditional in cases if device.type == "cpu" else [(256, 64, 5, True)]:
            _compare(device, rounds, seconds, (width, batch_size, n_critic, conditional), overrides)


def _compare(
    device: torch.device, rounds: int, seconds: float, case: tuple[int, int, int, bool], overrides: list[str]
) -> None:
    width, batch_size, n_critic, conditional = case
    d_width = min(width, 128) if device.type == "cuda" else width
    cfg = compose_case(
        [
            "data.resolution=32",
            f"data.num_classes={CLASSES}",
            "model=sngan",
            f"model.conditional={conditional}",
            f"model.generator.widths={[width] * 4}",
            f"model.discriminator.widths={[d_width] * 4}",
            "loss=hinge",
            f"schedule.batch_size={batch_size}",
            f"schedule.updates.n_critic={n_critic}",
            "schedule.steps=100000000",
            "schedule.evaluate_every=100000000",
            *overrides,
        ]
    )
    trainers.choose_algorithms(False, cfg.trainer.tf32)
    gan, stream = build_case(cfg, device)
    peer = MimicryLoop(device, (width, d_width), n_critic, conditional, stream)
    sizes = [sum(each.numel() for each in network.parameters()) for network in (gan.generator, peer.generator)]
    turns = InTurns(device, rounds, seconds, peer)
    with tempfile.TemporaryDirectory() as scratch:
        callbacks = [*trainers.required_callbacks(), turns]
        trainer = trainers.make_trainer(device, Path(scratch), cfg.trainer.precision, callbacks)
        trainers.fit(trainer, gan, StreamData(stream), None)
    ours, theirs = turns.times[1:], turns.peers[1:]
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    absolute = (
        f"; ganexp {1e3 * statistics.median(ours):.2f} ms, mimicry {1e3 * statistics.median(theirs):.2f} ms a step"
        if device.type == "cuda"
        else ""
    )
    print(
        f"{'conditional ' if conditional else ''}SNGAN-32, width {width}, batch {batch_size}, n_critic {n_critic} "
        f"(the generators have {sizes[0]:,} and {sizes[1]:,} parameters): "
        f"mimicry / ganexp: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), "
        f"{rounds} rounds{absolute}",
        flush=True,
    )


def install_mimicry(directory: str) -> str:
    """Install mimicry without its dependencies into a directory, and return the directory."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", directory, MIMICRY]
    subprocess.run(command, check=True)
    return directory


def import_mimicry(directory: str) -> None:
    """Make mimicry's networks importable without the rest of the package, which needs TensorFlow."""
    package = types.ModuleType("torch_mimicry")
    package.__path__ = [str(Path(directory) / "torch_mimicry")]
    sys.modules["torch_mimicry"] = package
