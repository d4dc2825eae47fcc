"""Run command lines in forks of this process, and report what is wrong with their outcomes."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ganexp import cli
from ganexp.commands.evaluation import images as evaluate_images  # noqa: F401 (imported before the forks)

RUN = "run"  # the directory of the trained run, in trials of commands that need a trained run
SHORT = ("trainer=cpu", "schedule.steps=1", "schedule.evaluate_every=1", "schedule.batch_size=4")
LIMIT_S = 30
MAX_LINES = 10
MEMORY_BYTES = 12 << 30  # limit of the address space; only a command with an unbounded allocation should reach it
HANG = "hang"  # stands for the exit code of a command that was stopped after the time limit


@dataclass(frozen=True)
class Trial:
    """A command line that ganexp should refuse, or execute without a fault.

    Attributes:
        arguments: the command line after ganexp.
        named: texts that name the wrong key or file. The error must contain one of these texts, if there are any.
        must_fail: whether the exit code 0 is a fault, because a declared type forbids the value.
        prepare: a function that writes the files of the trial to the trial's directory; None if there are no files.
    """

    arguments: tuple[str, ...]
    named: tuple[str, ...] = ()
    must_fail: bool = False
    prepare: Callable[[Path], None] | None = None


def copy_run(run: Path, directory: Path, name: str = RUN) -> None:
    """Copy the trained run to `directory`."""
    shutil.copytree(run, directory / name)


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit code (or HANG), what it printed, and the files and directories that it created."""

    code: int | str
    text: str
    created: tuple[str, ...]
    recorded: str = ""  # the reason for the failure, from the run.json of a run that had started

    @property
    def started(self) -> bool:
        """Return whether a run had started before it failed; such a run keeps its directory."""
        return bool(self.recorded)

    @property
    def shows_progress(self) -> bool:
        """Return whether the output ends with the progress of a run; such a run may legitimately take long."""
        lines = self.text.split()
        return bool(lines) and lines[-1] == "left"


def run_trial(trial: Trial, as_process: bool = False) -> Outcome:
    """Run a trial in a new empty directory, which is removed afterwards.

    Args:
        trial: the command line and its files.
        as_process: whether to start `python -m ganexp` instead of a fork of this process.
    """
    directory = Path(tempfile.mkdtemp(prefix="torture-"))
    try:
        if trial.prepare is not None:
            trial.prepare(directory)
        before = set(directory.rglob("*"))
        with tempfile.TemporaryFile() as output:
            code = (_in_process if as_process else _in_fork)(trial.arguments, directory, output.fileno())
            output.seek(0)
            text = output.read().decode(errors="replace")
        created = sorted(str(path.relative_to(directory)) for path in set(directory.rglob("*")) - before)
        return Outcome(code, text, tuple(created), _recorded_reason(directory, created))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run_in(directory: Path, arguments: Sequence[str]) -> None:
    """Run a command line in `directory`; it must succeed.

    Raises:
        RuntimeError: the command fails.
    """
    with tempfile.TemporaryFile() as output:
        if code := _in_fork(arguments, directory, output.fileno()):
            output.seek(0)
            raise RuntimeError(f"exit code {code}: ganexp {' '.join(arguments)}\n{output.read().decode()}")


def fault(trial: Trial, outcome: Outcome) -> str:
    """Return what is wrong with the outcome of a trial; the text is empty if nothing is wrong."""
    lines = [line for line in outcome.text.splitlines() if line.strip()]
    new = [name for name in outcome.created if not name.startswith("run/")]  # a resumed run writes new files
    left = "" if outcome.started else ", ".join(new[:3])
    found = {
        "hangs": outcome.code == HANG and not outcome.shows_progress,
        "traceback": "Traceback" in outcome.text or "This is an error in ganexp" in outcome.text,
        "accepts a forbidden value": outcome.code == 0 and trial.must_fail,
    }
    if outcome.code not in (0, HANG):
        found |= {
            f"exit code {outcome.code}": outcome.code not in (0, 1, 2),
            "no message": not lines,
            f"{len(lines)} lines": len(lines) > MAX_LINES and not outcome.started,
            "does not name the key or file": not any(name in outcome.text for name in trial.named or ("",)),
            f"leaves {left}": bool(left),
        }
    return ", ".join(name for name, is_so in found.items() if is_so)


def _recorded_reason(directory: Path, created: Sequence[str]) -> str:
    for name in created:
        if Path(name).name == "run.json":
            try:
                record = json.loads((directory / name).read_text(encoding="utf-8") or "{}")
            except ValueError:
                return ""
            return str(record.get("error") or "") if record.get("status") == "failed" else ""
    return ""


def _environment(directory: Path) -> dict[str, str]:
    places = {"GANEXP_CACHE": str(directory / "cache"), "GANEXP_DATA": str(directory / "data")}
    offline = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return os.environ | places | offline | {"OMP_NUM_THREADS": "1", "COLUMNS": "120"}


def _in_process(arguments: Sequence[str], directory: Path, output: int) -> int | str:
    command = [sys.executable, "-m", "ganexp", *arguments]
    environment = _environment(directory)
    process = subprocess.Popen(command, cwd=directory, env=environment, stdout=output, stderr=output, process_group=0)
    try:
        return process.wait(LIMIT_S * 2)  # the imports take several seconds
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return HANG


def _in_fork(arguments: Sequence[str], directory: Path, output: int) -> int | str:
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        _run_and_exit(arguments, directory, output)
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return HANG


def _run_and_exit(arguments: Sequence[str], directory: Path, output: int) -> None:
    """Run a command line in this process, and end the process with the exit code that Python would return."""
    code = 1
    try:
        os.setpgid(0, 0)
        for stream in (1, 2):
            os.dup2(output, stream)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        os.environ.update(_environment(directory))
        os.chdir(directory)
        torch.set_num_threads(1)
        sys.argv = ["ganexp", *arguments]
        code = _exit_code()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _exit_code() -> int:
    try:
        cli.main()
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
            return 1
        return stop.code or 0
    except BaseException as error:  # noqa: RUF100 (the user would see a traceback)
        print(f"Traceback: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0
