"""Settings of short sweeps, and functions to read their results."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ganexp.runs.sweep_directory import SweepDirectory

FAST = (
    "schedule.steps=4",
    "schedule.evaluate_every=2",
    "schedule.batch_size=16",
    "trainer.log_every=1",
    "metrics.samples=60",
    "metrics.extractor.updates=10",
    "callbacks=progress",  # no pictures: they would take most of the time of such a short run
)
QUICK = ("schedule.steps=1", "schedule.evaluate_every=1", "metrics=none", "callbacks=progress")


def contents(sweep: Path, names: Iterable[str]) -> dict[Path, tuple[int, bytes]]:
    """Return the modification time and content of every file in the given jobs' directories, except lock files."""
    files = [file for name in names for file in (sweep / name).rglob("*") if file.is_file() and file.name != ".lock"]
    return {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


def jobs(sweep: Path) -> dict[str, dict[str, Any]]:
    """Return the content of each job's run.json; the keys are the names of the jobs' directories."""
    return SweepDirectory(sweep).jobs()


def statuses(sweep: Path) -> list[str]:
    """Return the status of each job."""
    return [job["status"] for job in jobs(sweep).values()]


def run_directories(sweep: Path) -> list[str]:
    """Return the sorted names of the run directories in a sweep."""
    return sorted(file.parent.name for file in sweep.glob("*/run.json"))


def wait_until(condition: Callable[[], bool], seconds: float = 90) -> None:
    """Wait until `condition` holds; fail after `seconds` seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.5)
