"""Time whole processes: a sweep with two workers, a training on two devices, and the start of a run."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from bench_cases import spread


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
    print(f"time of two workers / time of serial jobs: {spread(ratios)}")


def scaling(device: torch.device, rounds: int, steps: int, overrides: list[str]) -> None:
    """Print the time of a step on two devices as a share of the time on one device, with the same total batch size.

    The best possible share is ½. On a CPU, each process has one thread.
    """
    case = ["data=fake", "data.source.size=2000", "model=dcgan", "loss=non_saturating", "schedule.batch_size=64"]
    quiet = ["metrics=none", "callbacks=none", "logger=none", f"trainer.log_every={max(steps // 10, 1)}"]
    length = [f"schedule.steps={steps}", f"schedule.evaluate_every={steps}", "trainer.threads=1"]
    accelerator = "gpu" if device.type == "cuda" else "cpu"
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for devices in seconds:
            with tempfile.TemporaryDirectory() as scratch:
                where = [f"trainer.accelerator={accelerator}", f"trainer.devices={devices}", f"hydra.run.dir={scratch}"]
                command = [sys.executable, "-m", "ganexp", *case, *quiet, *length, *where, *overrides]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                points = map(json.loads, (Path(scratch) / "metrics.jsonl").read_text().splitlines())
                seconds[devices].append(seconds_a_step(points))
    ratios = [two / one for one, two in zip(seconds[1], seconds[2], strict=True)]
    print(f"{os.cpu_count()} cores; torch {torch.__version__}, Python {platform.python_version()}; {rounds} rounds")
    print(f"time of two devices / time of one device: {spread(ratios)}")


def seconds_a_step(points: Iterable[Mapping[str, Any]]) -> float:
    """Return the mean time of a step between the first and the last logged loss; the start of the run is left out."""
    logged = [point for point in points if "loss/generator" in point]
    first, last = logged[0], logged[-1]
    return float((last["axis/seconds"] - first["axis/seconds"]) / (last["step"] - first["step"]))


def startup(rounds: int) -> None:
    """Print how long `ganexp --help` takes, and how long it takes until the first step of the default run is logged.

    An untimed run comes first, so that the classifier for the scores is in the cache.
    """
    seconds: dict[str, list[float]] = {"help": [], "first step": []}
    with tempfile.TemporaryDirectory() as scratch:
        _seconds_to_first_step(Path(scratch) / "untimed")
        for number in range(rounds):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-m", "ganexp", "--help"], check=True, stdout=subprocess.DEVNULL)
            seconds["help"].append(time.perf_counter() - started)
            seconds["first step"].append(_seconds_to_first_step(Path(scratch) / str(number)))
    print(f"{os.cpu_count()} cores; torch {torch.__version__}, Python {platform.python_version()}; {rounds} rounds")
    for name, values in seconds.items():
        print(f"{name}: median {statistics.median(values):.2f} s, from {min(values):.2f} to {max(values):.2f} s")


def _seconds_to_first_step(run: Path) -> float:
    """Start the default run in a directory, stop it when its first step is logged, and return the time until then."""
    command = [sys.executable, "-m", "ganexp", f"hydra.run.dir={run}", "trainer.log_every=1"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            if (file := run / "metrics.jsonl").exists() and '"loss/' in file.read_text():
                return time.perf_counter() - started
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    raise SystemExit("the run ended before its first step")
