"""Measure whether the memory, the open files and the threads of a long run stay constant."""

import os
import platform
import tempfile
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from bench_cases import compose_case
from pytorch_lightning import Callback, LightningModule, Trainer

from ganexp.commands.train import train

EVALUATIONS = 100
SETTLED = 0.1  # after this share of a run, its memory should not grow, because caches are filled
CASE = (
    "data.source.size=2000",
    "data.resolution=8",
    "data.channels=1",
    "data.num_classes=10",
    "model=mlp",
    "loss=non_saturating",
    "schedule.batch_size=32",
    "schedule.ema.decay=0.99",
    "trainer=cpu",
    "metrics=classifier",
    "metrics.samples=200",
    "metrics.extractor.updates=100",
    "logger=tensorboard",
    "+callbacks.memory_use._target_=bench_memory.MemoryUse",
)


class Use(NamedTuple):
    """The resources of a process at a step: resident memory in bytes, number of open files, and number of threads."""

    step: int
    memory: int
    files: int
    threads: int


class MemoryUse(Callback):
    """Measure the resources of this process at the first step after each evaluation, and at the end of the run.

    Attributes:
        measured: the measurements of the last run in this process.
    """

    measured: ClassVar[list[Use]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Delete the measurements of an earlier run."""
        self.measured.clear()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure the resources at the start of a period between two evaluations."""
        self.measured.append(current_use(trainer.global_step))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure the resources at the end of the run."""
        self.measured.append(current_use(trainer.global_step))


def current_use(step: int) -> Use:
    """Return the resources that this process uses now, read from Linux's /proc."""
    process = Path("/proc/self")
    pages = int((process / "statm").read_text().split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE")
    return Use(step, memory, len(os.listdir(process / "fd")), len(os.listdir(process / "task")))


def measure(steps: int, overrides: list[str], evaluations: int = EVALUATIONS) -> list[Use]:
    """Train for `steps` steps with `evaluations` evaluations in a temporary directory; return the measurements."""
    length = (f"schedule.steps={steps}", f"schedule.evaluate_every={steps // evaluations}")
    with tempfile.TemporaryDirectory() as scratch:
        train(compose_case([*CASE, *length, *overrides]), f"{scratch}/run", {}, [])
    return MemoryUse.measured


def growth(measured: list[Use]) -> dict[str, Any]:
    """Return the relative growth of the memory, the first measurement, and the numbers of open files and of threads.

    The measurements before the step SETTLED · (number of steps) are left out.
    """
    settled = [use for use in measured if use.step >= SETTLED * measured[-1].step]
    first, last = settled[0], settled[-1]
    return {
        "memory": last.memory / first.memory - 1,
        "from": first,
        "files": sorted({use.files for use in settled}),
        "threads": sorted({use.threads for use in settled}),
    }


def memory(steps: int, overrides: list[str]) -> None:
    """Print how the memory and the numbers of open files and threads of a run change after its first tenth."""
    measured = measure(steps, overrides)
    found = growth(measured)
    versions = f"torch {torch.__version__}, Python {platform.python_version()}"
    print(f"{versions}; {steps:,} steps with {EVALUATIONS} evaluations")
    for use in measured:
        print(f"step {use.step:>7,}: {use.memory / 2**20:,.1f} MiB, {use.files} files, {use.threads} threads")
    print(
        f"from step {found['from'].step:,}: memory {found['memory']:+.2%}, open files {found['files']}, "
        f"threads {found['threads']}"
    )
