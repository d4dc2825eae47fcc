"""Run the jobs of a sweep, with a callback that Hydra calls before and after them.

A job depends only on the sweep's overrides and its number. Therefore the same overrides in the same directory resume
the sweep. This module must not import torch at import time.
"""

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

from ganexp.commands.description_text import print_description
from ganexp.commands.launching.launched import reason_against_devices
from ganexp.commands.sweeps.job_checks import check_jobs, check_same_job, fix_sweep_directory
from ganexp.commands.sweeps.overrides import (
    NAMING,
    SWEEP_DIRECTORY,
    hydra_overrides,
    resume_command,
    stored_overrides,
)
from ganexp.commands.sweeps.search_checks import check_sampler, is_search
from ganexp.commands.sweeps.table import print_jobs
from ganexp.config import schema
from ganexp.config.texts import expand_home
from ganexp.console import count, join_saying_once, said_lines, say, saying_once, shell_path, short_path
from ganexp.errors import UserError, explain_unforeseen
from ganexp.runs.environment import now
from ganexp.runs.places import explain_place
from ganexp.runs.process import DIED
from ganexp.runs.run_directory import RunDirectory, remove_if_empty
from ganexp.runs.sweep_directory import FINAL_STATUSES, SweepDirectory

log = logging.getLogger(__name__)

_created: ContextVar[list[SweepDirectory]] = ContextVar("created")  # sweeps that the running call of Hydra has created


class JobFailed(CompactHydraException):
    """Raised when a job fails without a record in its run directory; Hydra still runs the other jobs."""


class SweepStopped(BaseException):
    """Raised to end the sweep with a message. It is not an Exception, because Hydra continues after an Exception."""


@contextmanager
def closing_sweeps() -> Iterator[None]:
    """Release the lock of the sweep at the end of the block, and remove the sweep's directory if no job was started.

    Lines that are the same for several jobs, such as the summary of the dataset, are printed once within the block.
    """
    created: list[SweepDirectory] = []
    token = _created.set(created)
    try:
        with saying_once():
            yield
    finally:
        _created.reset(token)
        for sweep in created:
            sweep.lock.release()
            sweep.discard_if_no_job_started()
            remove_if_empty(sweep.path)


def run_job(path: str, composed: DictConfig, overrides: list[str], start: Callable[[], Any]) -> float | None:
    """Start the job in the run directory `path`, or resume it, or skip it if it is finished or pruned.

    Args:
        path: the run directory of the job.
        composed: the unresolved config of the job.
        overrides: the job's own overrides.
        start: function that trains the job from the beginning.

    Returns:
        The objective, which a search minimises; None if there are no scores, or if the job failed. After a failed job,
        the other jobs still run.

    Raises:
        JobFailed: the directory belongs to another job.
    """
    run = RunDirectory(path)
    status = run.metadata().get("status")
    if run.config.exists() or status in FINAL_STATUSES:
        try:
            check_same_job(run, composed, overrides)
        except UserError as error:
            raise JobFailed(str(error)) from None
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
        from ganexp.commands.resume_arguments import ResumeArguments

        resume(ResumeArguments(str(run.path)))
        return
    run.metadata_file.unlink(missing_ok=True)  # left by a job that was killed before its config was written
    start()


def _log_failure(problem: Exception, overrides: Sequence[str]) -> str:
    """Log why a job failed, with a traceback unless it is an error of the user or of Hydra; return this reason."""
    expected = isinstance(problem, UserError | CompactHydraException)
    reason = str(problem) if expected else f"{type(problem).__name__}: {problem}"
    log.error("job failed: %s\n%s", " ".join(overrides), reason, exc_info=None if expected else problem)
    return reason


def _record_failure(run: RunDirectory, error: str, overrides: list[str]) -> None:
    """Write to run.json why a job failed, even if the job failed before it created this file."""
    run.path.mkdir(parents=True, exist_ok=True)
    with suppress(UserError), run.locked():  # no record is made while another process trains this job
        run.update_metadata(status="failed", ended=now(), error=error, overrides=overrides)


class Sweep(Callback):
    """Check a sweep; create the directory and print the table of a training sweep; collect results of `describe`."""

    def __init__(self) -> None:
        self.command: str | None = None  # None: a single run
        self.directory: SweepDirectory | None = None  # None: not created
        self.descriptions: list[dict[str, Any]] = []
        self.said = said_lines()  # read here, because a launcher may copy this object in another thread

    def __getstate__(self) -> dict[str, Any]:
        return {"command": self.command, "directory": None, "descriptions": [], "said": self.said}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the callback in a worker process of a launcher, and register the schemas there."""
        self.__dict__.update(state)
        schema.register()

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Expand `~` in the path of the run directory, which a config file may set.

        Raises:
            SweepStopped: the run would change the working directory.
        """
        _refuse_another_working_directory(config)
        unresolved: Any = OmegaConf.to_container(config.hydra.run, resolve=False)  # only a job can resolve all of it
        config.hydra.run.dir = expand_home(str(unresolved["dir"]))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check that the sweep can run, and create the directory of a training sweep.

        Raises:
            SweepStopped: the sweep cannot run.
        """
        self.command = config.hydra.job.config_name
        try:
            _check(config)
            can_start = check_jobs(config)
            fix_sweep_directory(config)
        except UserError as error:
            raise SweepStopped(str(error)) from None
        except Exception as error:  # Hydra would only warn, and run the jobs unchecked
            raise SweepStopped(explain_unforeseen(error)) from error
        if self.command == "train":
            self.directory = _create_directory(config)
            if can_start:
                say(f"sweep directory: {short_path(self.directory.path)}")
                say(f"if the sweep is stopped, resume it with: {resume_command(self.directory, config)}")

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Prepare the process of a training job: disable live progress bars, and set the number of threads."""
        if self.command != "train":
            return
        if not _runs_in_this_process(config):
            os.environ["TERM"] = "dumb"  # several processes write to one terminal
            join_saying_once(self.said, f"#{config.hydra.job.num} ")
        threads = config.hydra.launcher.get("cpus_per_task")
        if threads:  # a setting of submitit; joblib limits the threads of its workers itself
            import torch

            torch.set_num_threads(threads)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Log a failed job, or store the description that a `describe` job returns."""
        if self.command is None:
            return
        overrides = job_return.overrides or []
        if job_return.status == JobStatus.FAILED:
            _log_failure(job_return._return_value, overrides)
        elif self.command == "describe":
            self.descriptions.append({"overrides": overrides, **job_return.return_value})

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the table of a training sweep, or the descriptions that the jobs of `describe` have returned.

        Raises:
            SweepStopped: a job failed or is not finished, or there were no jobs.
        """
        if sys.exc_info()[0] is not None:
            return  # Hydra 1.4 calls this after an error, too
        if self.command == "describe":
            self._print_descriptions(config.json)
        if self.directory is not None:
            _finish(self.directory, config)

    def _print_descriptions(self, as_json: bool) -> None:
        result: dict[str, Any] = {"jobs": self.descriptions}
        if estimates := [job["estimate"] for job in self.descriptions if "estimate" in job]:
            from ganexp.commands.estimation.estimate import total

            result["estimate"] = total(estimates)
        print_description(result, as_json)
        if any("error" in job for job in self.descriptions):
            raise SweepStopped('some jobs cannot run: see "error"')


def _create_directory(config: DictConfig) -> SweepDirectory:
    """Create the directory of a training sweep, or take over the directory of a sweep that was stopped.

    Raises:
        SweepStopped: the directory cannot be written, or belongs to another sweep.
    """
    directory = SweepDirectory(config.hydra.sweep.dir)
    try:
        directory.create(stored_overrides(config))
    except UserError as error:
        raise SweepStopped(str(error)) from None
    except OSError as error:
        reason = explain_place(error, {str(directory.path): "hydra.sweep.dir=DIRECTORY"})
        raise SweepStopped(reason or str(error)) from None
    _created.get([]).append(directory)
    return directory


def _runs_in_this_process(config: DictConfig) -> bool:
    return config.hydra.launcher._target_.endswith(".BasicLauncher")


def _check(config: DictConfig) -> None:
    """Refuse a sweep that could not run or be resumed, or that would leave files in a wrong place.

    Raises:
        SweepStopped: the sweep is refused.
        UserError: the sweep is a search whose sampler has a setting that is not allowed.
    """
    _refuse_another_working_directory(config)
    command = config.hydra.job.config_name
    if command == "describe" and not _runs_in_this_process(config):
        raise SweepStopped("describe runs its jobs in this process: leave out hydra/launcher")
    added = {"train": NAMING, "describe": SWEEP_DIRECTORY}.get(command)
    if added and not any(override.lstrip("+").startswith(f"{added}=") for override in hydra_overrides(config)):
        raise SweepStopped("A config file sets hydra.mode=MULTIRUN. Start the sweep with -m as well: ganexp -m …")
    if command == "train" and not OmegaConf.select(config, "debug.keep_files", default=True):
        raise SweepStopped("debug.keep_files=false: a sweep needs the files of its jobs. Test a single run instead.")
    if command == "train" and OmegaConf.select(config, "debug.dry_run"):
        raise SweepStopped("debug.dry_run=true is for a single run. To see every job: ganexp describe -m …")
    if command == "train" and (reason := reason_against_devices(config.trainer)):
        raise SweepStopped(reason)
    if is_search(config):
        check_sampler(config)


def _refuse_another_working_directory(config: DictConfig) -> None:
    if config.hydra.job.chdir:
        raise SweepStopped(
            "hydra.job.chdir=true: relative paths start from the working directory, so it must not change. Leave "
            "hydra.job.chdir out. To choose where a run writes its files: hydra.run.dir=DIRECTORY"
        )


def _finish(sweep: SweepDirectory, config: DictConfig) -> None:
    """Print the table of the jobs; end the sweep with a message if there are none, or if some are not finished."""
    jobs = sweep.jobs()
    if not jobs:
        raise SweepStopped("The sweep has no jobs. Check that every glob(…) matches at least one option.")
    print_jobs(jobs)
    say(f"compare them with: ganexp report {shell_path(sweep.path)}")
    unfinished = [job["status"] for job in jobs.values() if job["status"] not in FINAL_STATUSES]
    how = "failed: see above. Try them again" if set(unfinished) <= {"failed", DIED} else "are not finished. Continue"
    if unfinished:
        share = f"{len(unfinished)} of {count(len(jobs), 'job')}"
        raise SweepStopped(f"{share} {how} with: {resume_command(sweep, config)}")
