"""Compare a training step of ganexp with a step of a bare PyTorch loop; the two take turns in one process."""

import statistics
import tempfile
from copy import deepcopy
from typing import Any

import pytorch_lightning as pl
import torch
from bench_cases import build_case, compose_case, machine, spread

from ganexp.callbacks.progress import ProgressLine
from ganexp.commands.estimation.timing import clock
from ganexp.data.datamodule import StreamData
from ganexp.data.stream import ImageStream
from ganexp.loggers.metrics_file import MetricsFile
from ganexp.loggers.tensorboard import TensorBoard
from ganexp.pixels import from_uint8
from ganexp.runs.run_directory import RunDirectory
from ganexp.training import trainer as trainers
from ganexp.training.gan import GAN

CASE = ("data.source.size=5000", "model=dcgan", "loss=non_saturating", "schedule.batch_size=64")


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
    """Time each epoch of ganexp; after each epoch, time the bare loop for the same number of steps."""

    sees_every_step = False  # only the last step of an epoch

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
        if trainer.global_step % self.steps == 0:
            self.ours.append(clock(pl_module.device) - self.started)
            started = clock(pl_module.device)
            self.bare.run(self.steps)
            self.theirs.append(clock(pl_module.device) - started)


def overhead(device: torch.device, rounds: int, steps: int, overrides: list[str]) -> None:
    """Print the time of a step of ganexp as a multiple of the time of a step of the bare loop."""
    length = [f"schedule.steps={steps * (rounds + 1)}", f"schedule.evaluate_every={steps}"]
    cfg = compose_case([*CASE, f"trainer.log_every={steps}", *length, *overrides])
    gan, stream = build_case(cfg, device)
    if gan.objective.penalties or gan.num_classes or cfg.schedule.updates.n_critic != 1:
        raise SystemExit("the bare loop supports no penalties, no labels and only one discriminator update per step")
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
    ours, theirs = turns.ours[1:], turns.theirs[1:]  # in the first round, both loops warm up
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    extra = [1e3 * (a - b) / steps for a, b in zip(ours, theirs, strict=True)]
    print(f"{machine(device)}; {rounds} rounds of {steps} steps each")
    if device.type == "cuda":
        print(
            f"ganexp {1e3 * statistics.median(ours) / steps:.3f} ms per step, "
            f"bare loop {1e3 * statistics.median(theirs) / steps:.3f} ms"
        )
    print(f"time of ganexp / time of bare loop: {spread(ratios)}")
    print(
        f"ganexp - bare loop: median {statistics.median(extra):.3f} ms per step, "
        f"from {min(extra):.3f} to {max(extra):.3f} ms"
    )
