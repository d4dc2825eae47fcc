"""Train small configurations, and compare finished runs, for torture_kills.py and torture_disk_full.py."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

SMALL = (
    "schedule.steps=60",
    "schedule.evaluate_every=12",
    "schedule.batch_size=16",
    "trainer.log_every=4",
    "metrics.samples=60",
    "metrics.batch_size=20",
    "metrics.extractor.updates=10",
    "callbacks=[sample_grids,progress]",
    "trainer=cpu",
)
# The overrides that each configuration adds to SMALL. Together, the configurations cover the ways in which a run keeps
# state.
CONFIGURATIONS: Mapping[str, tuple[str, ...]] = {
    "plain": ("loss=non_saturating", "optimizer=dcgan", "model.discriminator.dropout=0.3"),
    "penalty": ("loss=wgan_gp",),
    "ema": ("loss=hinge", "model.conditional=true", "schedule.ema.decay=0.9", "schedule/lr_decay=linear"),
    "limit": ("loss=hinge", "schedule/updates=loss_limit", "schedule.updates.limit=0.5"),
    "classifier": (
        "loss=non_saturating",
        "loss/auxiliary=classifier",
        "model=dcgan",
        "model.conditional=true",
        "model.generator.width=4",
        "model.discriminator.width=4",
        "data.resolution=16",
        "schedule.batch_size=4",
        "schedule.steps=20",
        "schedule.evaluate_every=5",
        "trainer.log_every=1",
        "metrics.samples=20",
    ),
    "rollback": (
        "loss=hinge",
        "callbacks=[sample_grids,guard,progress]",
        "callbacks.guard.action=rollback",
        "callbacks.guard.max_rollbacks=3",
        "+callbacks.guard.score_patience=1",
        "+callbacks.guard.score_margin=0.01",
        "optimizer.generator.lr=0.02",
    ),
    "workers": ("loss=least_squares", "data.in_memory=false", "data.workers=2", "data.flip=true"),
}
COMPARED = ("state_dict", "optimizer_states", "lr_schedulers", "StreamData", "global_step")
LIMIT_S = 300


def start(arguments: Sequence[str], cwd: Path, cache: Path, **options: Any) -> subprocess.Popen[str]:
    """Start ganexp in `cwd` with the cache directory `cache`, which all runs share."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GANEXP_CACHE": str(cache), "COLUMNS": "120"}
    return subprocess.Popen(
        [sys.executable, "-m", "ganexp", *arguments],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def run(arguments: Sequence[str], cwd: Path, cache: Path, **options: Any) -> tuple[int, str, str]:
    """Run ganexp in `cwd`; return the exit code, the text on stdout and the text on stderr."""
    process = start(arguments, cwd, cache, **options)
    out, err = process.communicate(timeout=LIMIT_S)
    return process.returncode, out, err


def read(checkpoint: Path) -> dict[str, Any]:
    """Return the content of a checkpoint."""
    return torch.load(checkpoint, map_location="cpu", weights_only=True)


def differences(directory: Path, reference: Path) -> list[str]:
    """Return the names of what differs between two runs.

    The function compares entries of the last checkpoints, the logged values, entries of run.json, and the names of the
    pictures.
    """
    ours, theirs = (read(each / "checkpoints" / "last.ckpt") for each in (directory, reference))
    found = [part for part in COMPARED if not _are_equal(ours.get(part), theirs.get(part))]
    states = [each["callbacks"]["RandomState"] for each in (ours, theirs)]
    found += [] if _are_equal(*states) else ["random state"]
    found += [] if _points(directory) == _points(reference) else ["metrics.jsonl"]
    records = [json.loads((each / "run.json").read_text()) for each in (directory, reference)]
    found += [key for key in ("status", "scores", "guard", "rollbacks") if records[0].get(key) != records[1].get(key)]
    pictures = [{path.name for path in (each / "samples").rglob("*.png")} for each in (directory, reference)]
    return found + ([] if pictures[0] == pictures[1] else ["samples"])


def _points(directory: Path) -> list[dict[str, Any]]:
    """Return the logged values of a run, without the elapsed seconds."""
    points = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in point.items() if key != "axis/seconds"} for point in points]


def _are_equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, Mapping):
        is_same = isinstance(other, Mapping) and one.keys() == other.keys()
        return is_same and all(_are_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_are_equal, one, other))
    return one == other
