"""Measure speed, as ratios within one run.

    python scripts/bench.py overhead [--device cuda] [--rounds 5] [--steps 6] [OVERRIDES…]
    python scripts/bench.py scores [--device cuda] [--rounds 5] [--images 256] [--batch-size 32]
    python scripts/bench.py sweep [--rounds 3] [--steps 600] [OVERRIDES…]

`overhead` alternates between epochs of ganexp, with Lightning, logging and the stream, and of a bare PyTorch loop with
the same networks, losses, optimizers and data, and compares the times. OVERRIDES are overrides of ganexp's command
line; the default is a 32x32 DCGAN at batch size 64.

`scores` alternates between ganexp (one pass), torchmetrics (three metrics) and torch-fidelity, and times how long each
takes to compute IS, FID and KID of the same images.

`sweep` alternates between a sweep of six seeds with two joblib workers and the same sweep with one job after another.
It times whole processes, from the command line to the table.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from copy import deepcopy
from typing import Any

import pytorch_lightning as pl
import torch
from bench_scores import scores
from hydra import compose, initialize_config_dir

from ganexp import build
from ganexp.callbacks.progress import ProgressLine
from ganexp.cli import CONF
from ganexp.config import schema
from ganexp.config.composition import VERSION_BASE
from ganexp.data.datamodule import StreamData
from ganexp.data.stream import ImageStream
from ganexp.loggers.metrics_file import MetricsFile
from ganexp.loggers.tensorboard import TensorBoard
from ganexp.pixels import from_uint8
from ganexp.runs.run_directory import RunDirectory
from ganexp.training import trainer as trainers
from ganexp.training.gan import GAN

CASE = ("data=fake", "data.source.size=5000", "model=dcgan", "loss=non_saturating", "schedule.batch_size=64")


class BareLoop:
    """Train in a hand-written loop: each step takes one real batch and updates D once and G once."""

    def __init__(self, gan: GAN, stream: ImageStream, optimizers: dict[str, Any]) -> None:
        self.generator, self.discriminator = deepcopy(gan.generator), deepcopy(gan.discriminator)
        self.loss, self.batch_size, self.latent_dim = gan.objective.adversarial, stream.batch_size, gan.latent.dim
        self.images = stream.image_set.batch(torch.arange(len(stream.image_set))).to(stream.device)
        self.device = stream.device
        self.g_optimizer = optimizers["generator"](list(self.generator.parameters()))
        self.d_optimizer = optimizers["discriminator"](list(self.discriminator.parameters()))
        for network in (self.generator, self.discriminator):
            network.to(self.device).train()

    def run(self, steps: int) -> None:
        """Train for `steps` steps."""
        for _ in range(steps):
            chosen = torch.randint(len(self.images), (self.batch_size,), device=self.device)
            real = from_uint8(self.images[chosen])
            with torch.no_grad():
                fake = self.generator(torch.randn(self.batch_size, self.latent_dim, device=self.device))
            terms = self.loss.discriminator(self.discriminator(real), self.discriminator(fake))
            self.d_optimizer.zero_grad()
            torch.stack(list(terms.values())).sum().backward()
            self.d_optimizer.step()
            fake = self.generator(torch.randn(self.batch_size, self.latent_dim, device=self.device))
            self.discriminator.requires_grad_(False)
            terms = self.loss.generator(self.discriminator(fake))
            self.g_optimizer.zero_grad()
            torch.stack(list(terms.values())).sum().backward()
            self.g_optimizer.step()
            self.discriminator.requires_grad_(True)


class InTurns(pl.Callback):
    """Time each epoch of ganexp, and then the same number of steps of the bare loop."""

    def __init__(self, bare: BareLoop, steps: int) -> None:
        self.bare, self.steps = bare, steps
        self.ours: list[float] = []
        self.theirs: list[float] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.started = clock(pl_module.device)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop the clock after the last step of an epoch, and time the bare loop."""
        if batch_idx == self.steps - 1:
            self.ours.append(clock(pl_module.device) - self.started)
            started = clock(pl_module.device)
            self.bare.run(self.steps)
            self.theirs.append(clock(pl_module.device) - started)


def clock(device: torch.device) -> float:
    """Wait until the device has finished its work, and return the time in seconds."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def overhead(device: torch.device, rounds: int, steps: int, overrides: list[str]) -> None:
    """Print the time of a step of ganexp as a multiple of the bare loop's."""
    schema.register()
    with initialize_config_dir(str(CONF), **VERSION_BASE):
        length = [f"schedule.steps={steps * (rounds + 1)}", f"schedule.evaluate_every={steps}"]
        cfg = schema.resolve(
            compose("train", [*CASE, "metrics=none", f"trainer.log_every={steps}", *length, *overrides])
        )
    torch.manual_seed(0)
    gan = build.build_gan(cfg)
    if gan.objective.penalties or gan.num_classes or cfg.schedule.updates.n_critic != 1:
        raise SystemExit("the bare loop supports no penalties, no labels and only one discriminator update per step")
    image_set = build.build_image_set(cfg)
    assert image_set is not None  # the dataset has a split to train on
    stream = build.build_stream(cfg, image_set, device)
    gan.connect(stream)
    bare = BareLoop(gan, stream, gan.optimizer_factories)
    turns = InTurns(bare, steps)
    with tempfile.TemporaryDirectory() as scratch:
        run = RunDirectory(scratch)
        trainer = trainers.make_trainer(
            device,
            run.path,
            callbacks=[*trainers.required_callbacks(), ProgressLine(), turns],
            loggers=[MetricsFile(run), TensorBoard(run)],
        )
        trainers.fit(trainer, gan, StreamData(stream), None)
    ours, theirs = turns.ours[1:], turns.theirs[1:]  # the first round warms both up
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(
        f"{name}; torch {torch.__version__}, Python {platform.python_version()}; {rounds} rounds of {steps} steps each"
    )
    if device.type == "cuda":
        print(
            f"ganexp {1e3 * statistics.median(ours) / steps:.3f} ms per step, "
            f"bare loop {1e3 * statistics.median(theirs) / steps:.3f} ms"
        )
    print(f"ganexp / bare loop: median {statistics.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")


def sweep(rounds: int, steps: int, overrides: list[str]) -> None:
    """Print the time of a sweep with two workers as a multiple of the time of a serial sweep."""
    jobs = ["seed=range(6)", f"schedule.steps={steps}", f"schedule.evaluate_every={steps}", "metrics=none", *overrides]
    ways = {"serial": [], "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, launcher in ways.items():
            with tempfile.TemporaryDirectory() as scratch:
                started = time.perf_counter()
                command = [sys.executable, "-m", "ganexp", "-m", *jobs, *launcher]
                subprocess.run(command, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
                seconds[way].append(time.perf_counter() - started)
    ratios = [a / b for a, b in zip(seconds["joblib"], seconds["serial"], strict=True)]
    print(f"{os.cpu_count()} cores; torch {torch.__version__}, Python {platform.python_version()}; {rounds} rounds")
    print(f"two workers / serial: median {statistics.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")


def main() -> None:
    """Run the benchmark that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["overhead", "scores", "sweep"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_intermixed_args()
    device = torch.device(arguments.device)
    if arguments.what == "overhead":
        overhead(device, arguments.rounds or 5, arguments.steps or 6, arguments.overrides)
    elif arguments.what == "scores":
        scores(device, arguments.rounds or 5, arguments.images, arguments.batch_size)
    else:
        sweep(arguments.rounds or 3, arguments.steps or 600, arguments.overrides)


if __name__ == "__main__":
    main()
