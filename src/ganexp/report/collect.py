"""Find all run directories for a report."""

import os
from collections.abc import Sequence
from pathlib import Path

from ganexp.errors import UserError
from ganexp.report.run import Run, read_run
from ganexp.report.values import plain
from ganexp.runs.run_directory import sweep_above

NOT_SEARCHED = ("samples", "checkpoints")  # directories within a run directory


def collect(directories: Sequence[str | Path]) -> list[Run]:
    """Return all runs in `directories` and their subdirectories, sorted by path.

    Raises:
        UserError: a directory does not exist, or there are no runs.
    """
    paths = sorted({path for each in directories for path in find_runs(Path(each).expanduser(), or_failed_jobs=True)})
    if not paths:
        searched = ", ".join(map(str, directories))
        raise UserError(f"{searched}: no runs found. A run is a directory with config.yaml and run.json.")
    shared = Path(os.path.commonpath([path.parent for path in paths]))
    return [read_run(path, plain(path.relative_to(shared))) for path in paths]


def find_runs(directory: Path, or_failed_jobs: bool = False) -> list[Path]:
    """Return the run directories in `directory` and its subdirectories, in no particular order.

    If `or_failed_jobs` is true, they include jobs of a sweep that failed before they saved their config.yaml.

    Raises:
        UserError: `directory` does not exist.
    """
    if not directory.is_dir():
        raise UserError(f"{directory}: no such directory. Give directories with runs, for example: outputs")
    runs = []
    for path, subdirectories, files in os.walk(directory.resolve()):
        if "run.json" in files and ("config.yaml" in files or (or_failed_jobs and sweep_above(Path(path)))):
            runs.append(Path(path))
            subdirectories[:] = [name for name in subdirectories if name not in NOT_SEARCHED]
    return runs
