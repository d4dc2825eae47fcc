"""Let the disk run full at each file of a run. The run must report this and keep a checkpoint that can be resumed.

A limit of the operating system on the size of files simulates the full disk: if the limit is just below the size that a
file has in an undisturbed run, writing this file fails. If a tmpfs can be mounted, the script also lets tmpfs disks of
several small sizes run full.
"""

import argparse
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from torture_training import CONFIGURATIONS, SMALL, differences, read, run

MAX_LINES = 10
SIZES_KB = (40, 200, 400, 700, 1000, 1500, 2500)  # sizes of the disks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this topic."""
    parser.add_argument("--only", default="ema", help="name of the configuration")
    parser.add_argument("--max", type=int, default=100, help="largest number of limits to try")


def main(arguments: argparse.Namespace) -> int:
    """Run every trial; return 1 if a run was lost, gave an unclear error, or differs from the undisturbed run."""
    command = (*SMALL, *CONFIGURATIONS[arguments.only], "logger=[tensorboard,csv]", "callbacks=[sample_grids,curves]")
    faults = []
    with tempfile.TemporaryDirectory(prefix="torture-") as scratch:
        root = Path(scratch)
        cache = root / "cache"
        code, out, err = run((*command, "hydra.run.dir=whole"), root, cache)
        assert code == 0, out + err
        whole = root / "whole"
        _half(command, root, cache)
        limits = sorted(
            {int(0.98 * _size(file)) for file in whole.rglob("*") if file.is_file() and file.stat().st_size}
        )
        limits = limits[:: max(1, -(-len(limits) // arguments.max))]
        trials = [("new run", limit) for limit in limits] + [("resumed run", limit) for limit in limits]
        for kind, limit in trials:
            found = _limited(command, root, cache, kind, limit)
            faults += [f"{kind}, files up to {limit:,} bytes: {fault}" for fault in found]
            print(f"{kind}, files up to {limit:,} bytes: {'; '.join(found) or 'good'}", flush=True)
        for size in SIZES_KB:
            found = _on_small_disk(command, root, cache, size)
            faults += [f"disk of {size} kB: {fault}" for fault in found]
            print(f"disk of {size} kB: {'; '.join(found) or 'good'}", flush=True)
    print(f"{len(trials) + len(SIZES_KB)} trials, faults: {len(faults)}")
    for fault in faults:
        print(f"  {fault}")
    return bool(faults)


def _size(file: Path) -> int:
    return file.stat().st_size


def _half(command: tuple[str, ...], root: Path, cache: Path) -> None:
    """Train a run up to its first evaluation; the trials of resumed runs start from there."""
    run((*command, "trainer.max_time=00:00:00:00", "hydra.run.dir=half"), root, cache)
    assert (root / "half" / "checkpoints" / "last.ckpt").exists()
    text = (root / "half" / "config.yaml").read_text()
    (root / "half" / "config.yaml").write_text(text.replace("max_time: 00:00:00:00", "max_time: null"))


def _limited(command: tuple[str, ...], root: Path, cache: Path, kind: str, limit: int) -> list[str]:
    """Return what is wrong with a run whose files may have at most `limit` bytes."""
    path = root / "run"
    if kind == "resumed run":
        shutil.copytree(root / "half", path)
    arguments = ("resume", "run") if kind == "resumed run" else (*command, "hydra.run.dir=run")

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    try:
        return _tried(arguments, command, path, root / "whole", cache, limit_files)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _on_small_disk(command: tuple[str, ...], root: Path, cache: Path, size: int) -> list[str]:
    """Return what is wrong with a run on a disk of `size` kB; the disk is enlarged before the run is resumed."""
    with _disk(root / "disk", size) as enlarge:
        if enlarge is None:
            print("a tmpfs cannot be mounted here")
            return []
        arguments = (*command, "hydra.run.dir=run")
        return _tried(arguments, command, root / "disk" / "run", root / "whole", cache, None, enlarge)


@contextmanager
def _disk(path: Path, size: int) -> Iterator[Callable[[], None] | None]:
    """Mount a tmpfs at `path`; yield a function that enlarges this tmpfs, or None if mounting is not allowed."""
    path.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(path)], capture_output=True)
    if mounted.returncode:
        yield None
        return

    def enlarge() -> None:
        subprocess.run(["mount", "-o", "remount,size=100m", str(path)], check=True)

    try:
        yield enlarge
    finally:
        subprocess.run(["umount", str(path)], check=True)


def _damage(checkpoint: Path) -> list[str]:
    """Return what is wrong with a checkpoint that was saved when there was not enough space."""
    try:
        read(checkpoint)
    except Exception as error:
        return [f"{checkpoint.name} is damaged: {error}"]
    return []


def _tried(
    arguments: tuple[str, ...],
    command: tuple[str, ...],
    path: Path,
    whole: Path,
    cache: Path,
    limit: Callable[[], None] | None,
    enlarge: Callable[[], None] = lambda: None,
) -> list[str]:
    """Return what is wrong with a run that lacks space, and with the same run once there is enough space."""
    last = path / "checkpoints" / "last.ckpt"
    code, out, err = run(arguments, path.parent, cache, preexec_fn=limit)
    faults = [] if code == 1 else [f"exit code {code}"]
    lines = err.strip().splitlines()
    if code and (len(lines) > MAX_LINES or "Traceback" in err or "error in ganexp" in err):
        faults.append(f"the error is unclear ({len(lines)} lines): {err.strip()[-600:]}")
    if code and not any(reason in err for reason in ("File too large", "No space left")):
        faults.append(f"the reason is not given: {err.strip()[-300:]}")
    if last.exists():
        faults += _damage(last)
    enlarge()
    is_started = (path / "config.yaml").exists()
    if not is_started:
        shutil.rmtree(path, ignore_errors=True)
    again = ("resume", "run") if is_started else (*command, "hydra.run.dir=run")
    code, out, err = run(again, path.parent, cache)
    if code:
        return [*faults, f"with enough space, the run ends with exit code {code}: {err.strip()[-300:]}"]
    return faults + (differences(path, whole) if "nothing to do" not in out else [])
