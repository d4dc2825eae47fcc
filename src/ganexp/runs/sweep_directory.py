"""The directory of a sweep: one run directory for each job, and sweep.json, their table. Must not import torch.

sweep.json has these keys:

overrides   what the sweep was started with, without launcher and --config-dir
started     the time in UTC
jobs        by directory name: overrides, status, objective, scores (of the best checkpoint), error
"""

import json
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ganexp.errors import UserError
from ganexp.runs import atomic
from ganexp.runs.environment import now

FINAL_STATUSES = ("finished", "pruned")  # of jobs that a resumed sweep does not start again


class SweepDirectory:
    """The files of one sweep below `path`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.file = self.path / "sweep.json"
        self.lock = FileLock(self.path / ".lock")  # held while the sweep runs

    def read(self) -> dict[str, Any]:
        """Return the content of sweep.json."""
        return json.loads(self.file.read_text(encoding="utf-8"))

    def create(self, overrides: list[str]) -> None:
        """Take the lock and start a table, or continue the one that is there.

        Raises:
            UserError: another process runs this sweep, or the directory holds a sweep with other overrides.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            raise UserError(f"{self.path} is being swept by another process: wait for it, or stop it.") from None
        if not self.file.exists():
            self._write({"overrides": overrides, "started": now(), "jobs": {}})
            return
        stored = self.read()["overrides"]
        if stored != overrides:
            raise UserError(
                f"{self.path} holds another sweep: {' '.join(stored)}\n"
                f"Resume that one with ganexp sweep.resume={self.path}, or choose another hydra.sweep.dir"
            )

    def update_job(self, job: str, **values: Any) -> None:
        """Add `values` to the entry of a job in sweep.json; several processes may do so at the same time."""
        with FileLock(self.path / ".table.lock"):
            table = self.read()
            table["jobs"][job] = table["jobs"].get(job, {}) | values
            table["jobs"] = dict(sorted(table["jobs"].items()))
            self._write(table)

    def discard_if_no_job_started(self) -> None:
        """Remove the files of a sweep that ended before its first job, unless the directory holds anything else."""
        own_files = {self.file, self.path / "multirun.yaml", self.path / ".lock"}
        if self.file.exists() and not self.read()["jobs"] and set(self.path.iterdir()) <= own_files:
            self.lock.release()
            for file in own_files:
                file.unlink(missing_ok=True)

    def _write(self, table: dict[str, Any]) -> None:
        atomic.write_text(self.file, json.dumps(table, indent=2) + "\n")
