"""Start the processes that train one network together, connect with them, and end them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from omegaconf import DictConfig

from ganexp.commands.launching.launched import Launch, launched
from ganexp.commands.launching.meeting import Meeting, SharedRun, current_meeting, remember_begun
from ganexp.console import say
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory
from ganexp.training import processes
from ganexp.training.processes import Group

SECONDS_TO_END = 30  # for the other processes to end after the first one has finished
BROKEN = ("closed by peer", "reset by peer", "Broken pipe")  # parts of gloo's errors

Processes = Sequence["subprocess.Popen[bytes]"]


@contextmanager
def connected(cfg: DictConfig, run: RunDirectory) -> Iterator[None]:
    """Connect the first process of a training with the others, and wait for their end after the block.

    The others on this machine are started, unless a launcher has started them. A training on one device has no others.

    Raises:
        UserError: another process has failed or ended, or the others do not arrive in time.
    """
    group = Group(0, processes.total(cfg.trainer), cfg.trainer.devices)
    if group.size == 1:
        remember_begun(run.path)
        yield
        return
    meeting = current_meeting()
    launch = launched() or Launch("ganexp", 0, group.size, 0, *meeting.place, starts_others=True)
    with others_of_machine(launch, group) as others:
        try:
            meeting.hand_out(SharedRun(cfg, str(run.path.absolute())))
            meeting.wait_for_others(group.size, lambda: _check_running(others, meeting))  # some are started only now
            processes.join(group, meeting.store)
            say(f"processes: {group.size}, each with {cfg.schedule.batch_size // group.size} images of a batch")
            yield
        except RuntimeError as error:
            raise _reason(error, meeting, others) or error from None
        finally:
            processes.leave()


def _check_running(others: Processes, meeting: Meeting) -> None:
    """Check that no process has failed, or ended.

    Raises:
        UserError: a process of another machine has failed.
        RuntimeError: a process of this machine has ended.
    """
    if any(other.poll() is not None for other in others):
        raise RuntimeError("before the training began")
    if failure := meeting.failure():
        raise _failed(failure)


def _reason(error: RuntimeError, meeting: Meeting, others: Processes) -> UserError | None:
    """Return why another process has ended, as an error to raise; None if no other process is known to have ended."""
    codes, reason = _codes_of_ended(others), broken_connection(error)
    if codes is None and not reason:  # an error of this process, which the others may have as well
        return None
    if failure := meeting.failure():
        return _failed(failure)
    if codes is not None:
        return UserError(f"Another process of this training has ended, with exit code {codes}: {reason or error}")
    return UserError(f"Another process of this training has ended, see its output: {reason}")


def _failed(reason: str) -> UserError:
    return UserError(f"Another process of this training has failed. {reason}")


def broken_connection(error: RuntimeError) -> str:
    """Return the first sentence of gloo's error about a broken connection; empty for another error."""
    is_broken = any(text in str(error) for text in BROKEN)
    return str(error).rpartition("] ")[2].partition(". ")[0] if is_broken else ""


def _codes_of_ended(others: Processes) -> str | None:
    """Return the exit codes of the processes that have ended, or None if all are running."""
    for other in others:
        with suppress(subprocess.TimeoutExpired):
            other.wait(1)  # the connection breaks before the process has ended
    codes = [str(other.returncode) for other in others if other.returncode is not None]
    return ", ".join(codes) or None


@contextmanager
def others_of_machine(launch: Launch, group: Group) -> Iterator[Processes]:
    """Start a process for each further device of this machine, unless a launcher does so; end them after the block.

    After an error the processes are killed; otherwise they have some seconds to end by themselves.
    """
    devices = range(1, group.devices) if launch.starts_others else ()
    others = [_start(replace(launch, rank=group.rank + number, local_rank=number)) for number in devices]
    try:
        yield others
        for other in others:
            with suppress(subprocess.TimeoutExpired):
                other.wait(SECONDS_TO_END)
    finally:
        for other in others:
            other.kill()
            other.wait()


def _start(launch: Launch) -> "subprocess.Popen[bytes]":
    """Start a process on this machine that Ctrl-C in the terminal does not reach."""
    variables = {"RANK": str(launch.rank), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    place = [launch.rank, launch.local_rank, launch.address, launch.port]
    command = [sys.executable, "-m", "ganexp.commands.launching.worker", *map(str, place)]
    environment = os.environ | variables  # `say` prints nothing with a RANK above 0
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, start_new_session=True)
