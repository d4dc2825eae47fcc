"""The sweep directory: sweep.json, and one run directory for each job. This module must not import torch.

sweep.json has three keys, which never change:

overrides   the overrides of the sweep, without the launcher's overrides and without --config-dir
directory   the working directory in which the sweep was started; relative paths in the overrides start there
started     the start time of the sweep, in UTC

The result of a job is in the run.json of its directory: overrides, status, scores and error. A job of a search also has
its objective there, which is the best value of the score `best_by`, negated if higher scores are better. In addition,
search_value.json has the objective that the job had when it first ended. If the search is resumed, the sampler gets
this value again. No file is written by two processes, so only the sweep itself needs a lock.
"""

import json
import re
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from ganexp.console import shell_path
from ganexp.errors import UserError
from ganexp.runs import atomic
from ganexp.runs.environment import now
from ganexp.runs.links import refuse_links
from ganexp.runs.process import current_status
from ganexp.runs.run_directory import RunDirectory

PRESETS = ("sweep", "hparams_search")  # config groups whose options imply --multirun
FINAL_STATUSES = ("finished", "pruned")  # statuses of jobs that a resumed sweep does not start again


class SweepRecord(BaseModel):
    """The types of the values in sweep.json. Other values are kept as they are."""

    model_config = ConfigDict(extra="allow", strict=True)

    overrides: list[str]
    directory: str = ""
    started: str | None = None


class SweepDirectory:
    """The files of one sweep in the directory `path`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().absolute()
        self.file = self.path / "sweep.json"
        self.lock = FileLock(self.path / ".lock")  # held while the sweep runs

    def read(self) -> dict[str, Any]:
        """Return the content of sweep.json.

        Raises:
            UserError: the file is damaged, or was not written by ganexp.
            FileNotFoundError: there is no such file.
        """
        try:
            is_pipe = self.file.exists() and not self.file.is_file()
            content = None if is_pipe else json.loads(self.file.read_text(encoding="utf-8"))
            return SweepRecord.model_validate(content).model_dump()
        except (ValueError, RecursionError):
            raise UserError(
                f"{self.file} is damaged, or was not written by ganexp. Restore it from a copy. Each run below "
                f"{self.path} can be resumed by itself: ganexp resume RUN"
            ) from None

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return the content of the run.json of every started job, in the order of the jobs.

        The keys are the paths of the jobs' directories, relative to the directory of the sweep. A job with an empty
        run.json has the status running. A job whose process ended without a result has the status died.
        """
        paths = sorted((file.parent.relative_to(self.path) for file in self.path.rglob("run.json")), key=_order)
        records = {path: {"status": "running"} | RunDirectory(self.path / path).metadata() for path in paths}
        return {path.as_posix(): record | {"status": current_status(record)} for path, record in records.items()}

    def create(self, overrides: list[str]) -> None:
        """Take the lock, and write sweep.json or continue the existing sweep.

        Raises:
            UserError: another process runs this sweep, the directory has a sweep with other overrides, a record is
                damaged, or a link leads out of the directory.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        refuse_links(self.path)
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            raise UserError(f"{self.path}: another process is running this sweep. Wait for it, or stop it.") from None
        if not self.file.exists():
            record = {"overrides": overrides, "directory": str(Path.cwd()), "started": now()}
            atomic.write_text(self.file, json.dumps(record, indent=2) + "\n")
            return
        stored = self.read()["overrides"]
        if stored != overrides:
            raise UserError(
                f"{self.path} has another sweep: {' '.join(stored)}\n"
                f"Resume it with ganexp resume {shell_path(self.path)}, or choose another hydra.sweep.dir"
            )
        self.jobs()  # before any job starts, because this raises an error if the record of a job is damaged

    def discard_if_no_job_started(self) -> None:
        """Remove the files of a sweep that ended before its first job, unless the directory has other files."""
        own_files = {self.file, self.path / "multirun.yaml", self.path / ".lock"}
        if self.file.exists() and set(self.path.iterdir()) <= own_files:
            self.lock.release()
            for file in own_files:
                file.unlink(missing_ok=True)


def _order(path: Path) -> list[tuple[int, str]]:
    """Return a sort key that orders 9-a before 10-a."""
    parts = re.split(r"(\d+)", path.as_posix())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
