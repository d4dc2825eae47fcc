"""Write every logged point to metrics.jsonl, which plots, reports and sweeps read."""

import errno
import json
import os
from argparse import Namespace
from typing import Any

from pytorch_lightning.loggers import Logger

from ganexp.runs.run_directory import RunDirectory


class MetricsFile(Logger):
    """Append a line of JSON for each logged point: the step, then the values.

    Args:
        run_directory: directory of the run.
        resume_step: step of the checkpoint from which the run resumes; 0 if there is none. Points after this step are
            removed, because they are logged again.
    """

    def __init__(self, run_directory: RunDirectory, resume_step: int = 0) -> None:
        super().__init__()
        run_directory.drop_points_after(resume_step or -1)  # without a checkpoint, step 0 is evaluated again
        self._run_directory = run_directory
        self.lines = run_directory.metrics.open("ab", buffering=0)  # closing a buffered file would retry a failed write

    @property
    def save_dir(self) -> str:
        """The run directory. Lightning's ModelCheckpoint saves to save_dir/name/version/checkpoints by default."""
        return str(self._run_directory.path)

    @property
    def name(self) -> str:
        """The empty name: no subdirectory is created in the run directory."""
        return ""

    @property
    def version(self) -> str:
        """The empty version: a run has only one file."""
        return ""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append a line.

        Raises:
            OSError: the line cannot be written, for example because the disk is full.
        """
        line = (json.dumps({"step": step} | metrics) + "\n").encode()
        path = str(self._run_directory.metrics)
        try:
            written = self.lines.write(line)
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
        if written != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    def close(self) -> None:
        """Close the file."""
        self.lines.close()

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Write nothing, because the settings of a run are in its config.yaml."""

    def log_result(self, settings: dict[str, Any], scores: dict[str, float], step: int) -> None:
        """Write nothing, because the final scores of a run are in its run.json."""
