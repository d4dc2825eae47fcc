"""Kill training runs at random moments, resume them, and compare the results with those of an undisturbed run.

Each run is killed one to four times. The signals are SIGKILL, SIGTERM and SIGINT, in turn. If there was a checkpoint
before a stop, there must be one after the stop. The checkpoint must load, and the finished run must have the same bits
as the undisturbed run.
"""

import argparse
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from torture_training import CONFIGURATIONS, LIMIT_S, SMALL, differences, read, run, start

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
MAX_KILLS_IN_A_RUN = 4
REFERENCE = "reference"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this topic."""
    parser.add_argument("--n", type=int, default=200, help="total number of signals")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random times of the signals")
    parser.add_argument("--only", help="names of configurations, joined by commas")
    parser.add_argument("--keep", type=Path, help="directory for the runs; default: a temporary directory")


def main(arguments: argparse.Namespace) -> int:
    """Send `arguments.n` signals; return 1 if there was any fault."""
    names = arguments.only.split(",") if arguments.only else list(CONFIGURATIONS)
    numbers = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="torture-") as scratch:
        root = arguments.keep or Path(scratch)
        durations = {name: _reference(name, root) for name in names}
        sent: Counter[str] = Counter()
        faults: list[str] = []
        number = 0
        while sent.total() < arguments.n:
            name = names[number % len(names)]
            kills = min(1 + number // len(names) % MAX_KILLS_IN_A_RUN, arguments.n - sent.total())
            found = _tortured(name, root, f"run-{number}", kills, durations[name], numbers, sent)
            faults += [f"{name}, run {number}: {fault}" for fault in found]
            print(f"{sent.total()}/{arguments.n} {name}: {', '.join(found) or 'same bits'}", flush=True)
            number += 1
    print(f"{number} runs, signals: {dict(sent)}, faults: {len(faults)}")
    for fault in faults:
        print(f"  {fault}")
    return bool(faults)


def _reference(name: str, root: Path) -> float:
    """Train the undisturbed run of a configuration, and return how many seconds it took."""
    cwd = root / name
    cwd.mkdir(parents=True)
    run(_command(name, "warm"), cwd, root / "cache")  # this run fills the cache
    shutil.rmtree(cwd / "warm")
    begin = time.monotonic()
    code, out, err = run(_command(name, REFERENCE), cwd, root / "cache")
    assert code == 0, out + err
    return time.monotonic() - begin


def _command(name: str, directory: str) -> tuple[str, ...]:
    return (*SMALL, *CONFIGURATIONS[name], f"hydra.run.dir={directory}")


def _tortured(
    name: str, root: Path, directory: str, kills: int, seconds: float, numbers: random.Random, sent: Counter[str]
) -> list[str]:
    """Return what went wrong in a run that is stopped `kills` times."""
    cwd, path = root / name, root / name / directory
    faults = []
    for kill in range(kills):
        first = kill == 0 or not (path / "config.yaml").exists()
        shutil.rmtree(path, ignore_errors=True) if first else None
        process = start(_command(name, directory) if first else ("resume", directory), cwd, root / "cache")
        had_checkpoint = (path / "checkpoints" / "last.ckpt").exists()
        number = SIGNALS[sent.total() % len(SIGNALS)]
        faults += _stop(process, path, number, numbers.uniform(0.3, 1) * seconds)
        sent[number.name] += 1
        faults += _lost(path, had_checkpoint)
    is_started = (path / "config.yaml").exists()
    shutil.rmtree(path, ignore_errors=True) if not is_started else None
    code, out, err = run(("resume", directory) if is_started else _command(name, directory), cwd, root / "cache")
    if code:
        return [*faults, f"resume ends with exit code {code}: {err.strip() or out[-500:]}"]
    faults += differences(path, root / name / REFERENCE)
    shutil.rmtree(path)
    return faults


def _stop(process: subprocess.Popen[str], path: Path, number: signal.Signals, seconds: float) -> list[str]:
    """Send a signal if the process still runs after `seconds`, and return the faults in how the process ended."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    _, err = process.communicate(timeout=LIMIT_S)
    has_run = (path / "config.yaml").exists()
    expected = (0, -number, 128 + number) if has_run else (0, 1, -number, 128 + number)
    faults = [] if process.returncode in expected else [f"{number.name}: exit code {process.returncode}"]
    is_traceback = has_run and "Traceback" in err
    return [*faults, *([f"{number.name}: {err.strip()[-300:]}"] if is_traceback else [])]


def _lost(path: Path, had_checkpoint: bool) -> list[str]:
    last = path / "checkpoints" / "last.ckpt"
    if not last.exists():
        return ["last.ckpt is lost"] if had_checkpoint else []
    try:
        read(last)
    except Exception as error:  # a damaged file can lead to any error
        return [f"last.ckpt is damaged: {error}"]
    return []
