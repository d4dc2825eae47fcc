"""Run the jobs of a sweep, in a callback that Hydra calls around them.

A job is a pure function of the sweep's overrides and its number. Therefore the same overrides in the same directory
resume the sweep. Must not import torch at import time.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from ganexp.commands.sweep_overrides import NAMING, SEED, SWEEP_DIRECTORY, resume_command, stored_overrides
from ganexp.commands.sweep_table import print_jobs
from ganexp.config import schema
from ganexp.console import say, short_path
from ganexp.errors import UserError
from ganexp.runs.environment import now
from ganexp.runs.run_directory import RunDirectory, remove_if_empty
from ganexp.runs.sweep_directory import FINAL_STATUSES, SweepDirectory

log = logging.getLogger(__name__)

_created: ContextVar[list[SweepDirectory]] = ContextVar("created")  # by the call of Hydra that is running


class SweepStopped(BaseException):
    """End the sweep with a message. Not an Exception, because Hydra continues after an Exception in a callback."""


@contextmanager
def closing_sweeps() -> Iterator[None]:
    """Release the lock of a sweep that Hydra ran within the block; remove its directory if no job was started."""
    created: list[SweepDirectory] = []
    token = _created.set(created)
    try:
        yield
    finally:
        _created.reset(token)
        for sweep in created:
            sweep.lock.release()
            sweep.discard_if_no_job_started()
            remove_if_empty(sweep.path)


def run_job(path: str, overrides: list[str], start: Callable[[], Any]) -> float | None:
    """Start the job whose run directory is `path`, or resume it, or skip it if it is done.

    Args:
        path: the run directory of the job.
        overrides: the job's own overrides.
        start: trains the job from its beginning.

    Returns:
        The objective, which a search minimises; None without scores, and for a failed job, which stops no other.
    """
    run = RunDirectory(path)
    status = run.metadata().get("status")
    if status in FINAL_STATUSES:
        say(f"already {status}: {run.path.name}")
    else:
        try:
            _resume_or_start(run, start)
        except Exception as problem:
            _record_failure(run, _log_failure(problem, overrides), overrides)
            return None
    return run.metadata().get("objective")


def _resume_or_start(run: RunDirectory, start: Callable[[], Any]) -> None:
    if run.config.exists():
        from ganexp.commands.resume import resume

        resume(str(run.path))
        return
    run.metadata_file.unlink(missing_ok=True)  # of a job that was killed before its config was written
    start()


def _log_failure(problem: Exception, overrides: Sequence[str]) -> str:
    """Log why a job failed, with a traceback unless the user can mend it, and return the reason."""
    expected = isinstance(problem, UserError | CompactHydraException)
    reason = str(problem) if expected else f"{type(problem).__name__}: {problem}"
    log.error("job failed: %s\n%s", " ".join(overrides), reason, exc_info=None if expected else problem)
    return reason


def _record_failure(run: RunDirectory, error: str, overrides: list[str]) -> None:
    """Write to run.json why a job failed, also if it failed before it wrote that file itself."""
    run.path.mkdir(parents=True, exist_ok=True)
    with suppress(UserError), run.locked():  # it is not recorded while another process trains this job
        run.update_metadata(status="failed", ended=now(), error=error, overrides=overrides)


class Sweep(Callback):
    """Create the directory of a training sweep and print its table; collect the descriptions of a `describe` sweep."""

    def __init__(self) -> None:
        self.command: str | None = None  # None: a single run
        self.directory: SweepDirectory | None = None  # None: not created
        self.descriptions: list[dict[str, Any]] = []

    def __getstate__(self) -> dict[str, Any]:
        return {"command": self.command, "directory": None, "descriptions": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the callback in a worker process of a launcher, where the schemas are not registered yet."""
        self.__dict__.update(state)
        schema.register()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check that the sweep can run; create the directory of a training sweep.

        Raises:
            SweepStopped: the sweep cannot run.
        """
        self.command = config.hydra.job.config_name
        _check(config)
        if self.command == "train":
            self._create_directory(config)

    def _create_directory(self, config: DictConfig) -> None:
        directory = SweepDirectory(config.hydra.sweep.dir)
        try:
            directory.create(stored_overrides(config))
        except UserError as error:
            raise SweepStopped(str(error)) from None
        self.directory = directory
        _created.get([]).append(directory)
        say(f"sweep directory: {short_path(directory.path)}")
        say(f"if it is stopped, resume it with: {resume_command(directory, config)}")

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Prepare the process of a training job: no live progress bars beside others, and the launcher's threads."""
        if self.command != "train":
            return
        if not _runs_in_this_process(config):
            os.environ["TERM"] = "dumb"  # several processes write to one terminal
        threads = config.hydra.launcher.get("cpus_per_task")
        if threads:  # submitit; joblib limits the threads of its workers itself
            import torch

            torch.set_num_threads(threads)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Log a job that failed; keep the description that a `describe` job returns."""
        if self.command is None:
            return
        overrides = job_return.overrides or []
        if job_return.status == JobStatus.FAILED:
            _log_failure(job_return._return_value, overrides)
        elif self.command == "describe":
            self.descriptions.append({"overrides": overrides, **job_return.return_value})

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the table of a training sweep, or the descriptions as JSON.

        Raises:
            SweepStopped: a job failed, or there was none.
        """
        if sys.exc_info()[0] is not None:
            return  # Hydra 1.4 calls this after an error, too
        if self.command == "describe":
            self._print_descriptions()
        if self.directory is not None:
            _finish(self.directory)

    def _print_descriptions(self) -> None:
        result: dict[str, Any] = {"jobs": self.descriptions}
        if estimates := [job["estimate"] for job in self.descriptions if "estimate" in job]:
            from ganexp.commands.estimate import total

            result["estimate"] = total(estimates)
        print(json.dumps(result, indent=2))
        if any("error" in job for job in self.descriptions):
            raise SweepStopped('some jobs cannot run: see "error"')


def _runs_in_this_process(config: DictConfig) -> bool:
    return config.hydra.launcher._target_.endswith(".BasicLauncher")


def _check(config: DictConfig) -> None:
    """Refuse a sweep that could not be resumed, or that would leave files behind.

    Raises:
        SweepStopped: the sweep is refused.
    """
    command = config.hydra.job.config_name
    if command == "describe" and not _runs_in_this_process(config):
        raise SweepStopped("describe runs its jobs in this process: leave out hydra/launcher")
    added = NAMING if command == "train" else SWEEP_DIRECTORY
    if not any(override.lstrip("+").startswith(f"{added}=") for override in config.hydra.overrides.hydra):
        raise SweepStopped("A config file sets hydra.mode=MULTIRUN. Start the sweep with -m as well: ganexp -m …")
    if command == "train" and not OmegaConf.select(config, "debug.keep_files", default=True):
        raise SweepStopped("debug.keep_files=false: a sweep is read from the files of its jobs. Test a single run.")
    storage = OmegaConf.select(config, "hydra.sweeper.storage")
    if storage is not None:
        raise SweepStopped(
            f"hydra.sweeper.storage={storage}: Hydra's Optuna plugin needs Optuna 2, which cannot open a storage with "
            "SQLAlchemy 2.\nLeave it out: a stopped sweep is resumed with sweep.resume=DIRECTORY, without a storage."
        )
    sampler = OmegaConf.select(config, "hydra.sweeper.sampler")
    if sampler is not None and "seed" in sampler and sampler.seed is None:
        raise SweepStopped(f"A search needs a seed, so that the resumed sweep has the same jobs: {SEED}=0")


def _finish(sweep: SweepDirectory) -> None:
    """Print the table of the jobs; end the sweep with a message if a job failed."""
    jobs = sweep.jobs()
    if not jobs:
        raise SweepStopped("The sweep has no jobs. Check that every glob(…) matches at least one option.")
    print_jobs(jobs)
    say(f"compare them with: ganexp report {short_path(sweep.path)}")
    failed = [name for name, job in jobs.items() if job["status"] not in FINAL_STATUSES]
    if failed:
        raise SweepStopped(f"{len(failed)} of {len(jobs)} jobs failed: see above. sweep.resume tries them again.")
