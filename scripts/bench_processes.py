"""Time whole processes: a sweep with two workers, and the start of a run."""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch


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
    """Start the default run in a directory, and stop it after the first step that it logs."""
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
