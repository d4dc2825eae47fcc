"""The run directory: the paths of its files, and functions to create, write and read it.

This module must not import torch. The files are:

config.yaml      the resolved config
run.json         metadata: status, versions, machine, times, final scores
metrics.jsonl    one line for each logged point: step, other axes (such as epochs), losses or scores
run.log          what was printed, with the times
samples/         grids of samples from fixed latents, one for each evaluation; interpolations
curves.png       curves of losses and scores against the step
checkpoints/     best.ckpt (with the best value of the score metrics.best_by), last.ckpt, and step-*-epoch-*.ckpt for
                 each epoch in schedule.keep_at
.hydra/          files for Hydra's own tools: the composed config, its overrides, and Hydra's settings
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

from ganexp import log_keys
from ganexp.console import count, say
from ganexp.errors import UserError
from ganexp.runs import atomic
from ganexp.runs.records import read_points, read_record

KEPT = re.compile(r"step-(\d+)-epoch-(\d+)\.ckpt")
MAX_ATTEMPTS = 1000  # at most this many names are tried for a new directory
EVENTS = "events.out.tfevents.*"  # TensorBoard's files
HYDRA_DIRECTORY = ".hydra"
HYDRA_FILES = ("config.yaml", "hydra.yaml", "overrides.yaml")  # files in .hydra


class RunDirectory:
    """The files of one run in the directory `path`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().absolute()
        self.config = self.path / "config.yaml"
        self.metadata_file = self.path / "run.json"
        self.metrics = self.path / "metrics.jsonl"
        self.log = self.path / "run.log"
        self.samples = self.path / "samples"
        self.curves = self.path / "curves.png"
        self.best = self.path / "checkpoints" / "best.ckpt"
        self.last = self.path / "checkpoints" / "last.ckpt"

    @classmethod
    def create_unique(cls, path: str | Path) -> "RunDirectory":
        """Create a directory that no other run uses: `path`, or `path`-2, `path`-3, … if another run uses it.

        Two processes that call this with the same path at the same time get different directories.
        """
        for candidate in candidates(path):
            directory = cls(candidate)
            directory.path.mkdir(parents=True, exist_ok=True)
            try:
                directory.metadata_file.touch(exist_ok=False)
            except FileExistsError:
                continue
            return directory
        raise RuntimeError(f"{path}: {MAX_ATTEMPTS} runs already use this path. Choose another hydra.run.dir")

    @property
    def has_files(self) -> bool:
        """Whether the directory has a file or folder with a name that a run uses; a new run would replace it."""
        own = (self.config, self.metadata_file, self.metrics, self.log, self.samples, self.curves, self.last.parent)
        return any(path.exists() for path in own) or any(self.path.glob(EVENTS))

    def kept_checkpoint(self, step: int, epoch: int) -> Path:
        """Return the path of the checkpoint that the run keeps at the end of `epoch`."""
        return self.last.parent / f"step-{step:07d}-epoch-{epoch}.ckpt"

    def kept_checkpoints(self) -> dict[tuple[int, int], Path]:
        """Return the paths of the kept checkpoints in order; the keys are pairs of a step and an epoch."""
        found = {}
        for path in sorted(self.last.parent.glob("step-*-epoch-*.ckpt")):
            if numbers := KEPT.fullmatch(path.name):
                found[int(numbers[1]), int(numbers[2])] = path
        return found

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Prevent other processes from training in this directory until the block ends or this process is killed.

        Raises:
            UserError: another process holds the lock.
        """
        try:
            with FileLock(self.path / ".lock", timeout=0):
                yield
        except Timeout:
            raise UserError(f"{self.path}: another process is training this run. Wait for it, or stop it.") from None

    def remove_unfinished_files(self) -> None:
        """Remove the temporary files that earlier processes left when they were killed. The run must be locked.

        The files of other commands are kept, because these commands take no lock and may be writing now.
        """
        tables = self.path / "metrics.*"
        for path in (self.config, self.metadata_file, tables, self.curves, self.last.with_name("*.ckpt")):
            for file in atomic.unfinished(path):
                file.unlink()

    def save_config(self, cfg: DictConfig) -> None:
        """Write `cfg` to config.yaml."""
        atomic.write_text(self.config, OmegaConf.to_yaml(cfg))

    def update_metadata(self, **values: Any) -> None:
        """Add `values` to run.json; existing keys get the new value."""
        atomic.write_text(self.metadata_file, json.dumps(self.metadata() | values, indent=2) + "\n")

    def metadata(self) -> dict[str, Any]:
        """Return the content of run.json; an empty dictionary if the file is missing or still empty.

        Raises:
            UserError: the file is damaged, or was not written by ganexp.
        """
        return read_record(self.metadata_file)

    def points(self) -> list[dict[str, Any]]:
        """Return the logged points in order, without lines that cannot be read."""
        return read_points(self.metrics)[0]

    def drop_points_after(self, step: int) -> None:
        """Remove all unreadable lines, and the points after `step`, because a resumed run logs these points again."""
        points, unreadable = read_points(self.metrics)
        if unreadable:
            say(f"{self.metrics.name}: removed {count(unreadable, 'line')} that cannot be read")
        self._write_points([point for point in points if point["step"] <= step])

    def drop_scores(self) -> None:
        """Remove all scores from the logged points, because later scores will not be comparable with them."""
        kept = [
            {key: value for key, value in point.items() if not key.startswith(log_keys.SCORE)}
            for point in self.points()
        ]
        self._write_points(kept)

    def _write_points(self, points: list[dict[str, Any]]) -> None:
        if self.metrics.exists():
            atomic.write_text(self.metrics, "".join(json.dumps(point) + "\n" for point in points))


def reserve(path: str | Path) -> Path:
    """Create a directory for a run that has not started yet: `path`, or `path`-2, `path`-3, … if another run uses it.

    An empty .hydra directory marks the new directory as reserved. Two processes that call this with the same path at
    the same time get different directories.
    """
    for candidate in candidates(path):
        candidate.mkdir(parents=True, exist_ok=True)
        if RunDirectory(candidate).has_files:
            continue
        try:
            (candidate / HYDRA_DIRECTORY).mkdir()
        except FileExistsError:
            continue
        return candidate
    raise RuntimeError(f"{path}: {MAX_ATTEMPTS} runs already use this path. Choose another hydra.run.dir")


def candidates(path: str | Path) -> Iterator[Path]:
    """Yield `path`, and then `path`-2, `path`-3 and so on."""
    yield Path(path)
    yield from (Path(f"{path}-{number}") for number in range(2, MAX_ATTEMPTS + 1))


def save_hydra_files(path: Path, cfg: DictConfig, hydra_config: DictConfig) -> None:
    """Write Hydra's files into a run directory, so that Hydra's own tools work.

    Hydra itself would write them before the directory is reserved, and could overwrite the files of a run that was
    started in the same second.

    Args:
        path: path of the run directory.
        cfg: the composed config, unresolved.
        hydra_config: Hydra's own settings of the run.
    """
    settings: Any = OmegaConf.to_container(hydra_config)
    settings["runtime"]["output_dir"] = str(path)
    overrides = settings["overrides"]["task"]
    directory = path / HYDRA_DIRECTORY
    directory.mkdir(exist_ok=True)
    for name, content in zip(HYDRA_FILES, (cfg, {"hydra": settings}, overrides), strict=True):
        atomic.write_text(directory / name, OmegaConf.to_yaml(content))


def remove_if_empty(path: str | Path) -> None:
    """Remove the directory `path` of a run that did not start, if it has no files except Hydra's.

    For the default path, outputs/NAME/TIME, the directories NAME and outputs are removed, too, if they are empty.
    """
    path = Path(path)
    _remove_hydra_files(path)
    directories = [path, *path.parents[:2]] if path.parent.parent.name == "outputs" else [path]
    for directory in directories:
        if directory.is_dir() and directory != Path.cwd() and not any(directory.iterdir()):
            directory.rmdir()


def _remove_hydra_files(path: Path) -> None:
    """Remove Hydra's directory in `path`, unless `path` or Hydra's directory has other files."""
    directory = path / HYDRA_DIRECTORY
    files = {directory / name for name in HYDRA_FILES}
    if directory.is_dir() and list(path.iterdir()) == [directory] and set(directory.iterdir()) <= files:
        for file in files:
            file.unlink(missing_ok=True)
        directory.rmdir()


def sweep_above(path: Path) -> Path | None:
    """Return the directory of the sweep that has the run directory `path`; None if the run is not a job of a sweep.

    It is the nearest directory above `path` with a sweep.json, because hydra.sweep.subdir may have several levels.
    """
    return next((parent for parent in path.parents if (parent / "sweep.json").is_file()), None)


def newest_run_below(path: str | Path, or_sweep: bool = False) -> str:
    """Return a hint with the newest run at most three levels below `path`, or an empty string if there is none.

    If `or_sweep` is true and the run is a job of a sweep, the hint has the directory of the sweep instead. If it is
    false, only runs with a checkpoint count.
    """
    patterns = ("*/run.json", "*/*/run.json", "*/*/*/run.json")  # the last one is for outputs/sweep/TIME/JOB
    files = [file for pattern in patterns for file in Path(path).expanduser().glob(pattern)]
    if not or_sweep:
        files = [file for file in files if any((file.parent / "checkpoints").glob("*.ckpt"))]
    runs = sorted(files, key=lambda file: file.stat().st_mtime)
    if not runs:
        return ""
    newest = runs[-1].parent
    sweep = sweep_above(newest) if or_sweep else None
    return f"\nDid you mean {sweep or newest}?"
