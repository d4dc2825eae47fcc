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

SECONDS_TO_END = 30  # time for the other processes to end after the first process has finished
BROKEN = ("closed by peer", "reset by peer", "Broken pipe")  # parts of gloo's messages about a broken connection

Processes = Sequence["subprocess.Popen[bytes]"]


@contextmanager
def connected(cfg: DictConfig, run: RunDirectory) -> Iterator[None]:
    """Connect the first process (rank 0) of a training with the other processes for the time of the block.

    The other processes of this machine are started before the block and ended after it, unless a launcher has started
    them. A training on one device has no other processes.

    Raises:
        UserError: another process has failed or ended, or the other processes do not arrive in time.
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
            # the processes that were started above have not arrived yet
            meeting.wait_for_others(group.size, lambda: _check_running(others, meeting))
            processes.join(group, meeting.store)
            say(f"processes: {group.size}, each with {cfg.schedule.batch_size // group.size} images of a batch")
            yield
        except RuntimeError as error:
            raise _reason(error, meeting, others) or error from None
        finally:
            processes.leave()


def _check_running(others: Processes, meeting: Meeting) -> None:
    """Check that no other process has failed or ended.

    Raises:
        UserError: another process has reported that it failed.
        RuntimeError: a process of this machine has ended.
    """
    if any(other.poll() is not None for other in others):
        raise RuntimeError("a process ended before the training began")
    if failure := meeting.failure():
        raise _failed(failure)


def _reason(error: RuntimeError, meeting: Meeting, others: Processes) -> UserError | None:
    """Return why another process has ended, as an error to raise; None if no other process is known to have ended."""
    codes, reason = _codes_of_ended(others), broken_connection(error)
    if codes is None and not reason:  # an error of this process; other processes may have the same error
        return None
    if failure := meeting.failure():
        return _failed(failure)
    if codes is not None:
        return UserError(f"Another process of this training has ended, with exit code {codes}: {reason or error}")
    return UserError(f"Another process of this training has ended ({reason}). See the output of the other process")


def _failed(reason: str) -> UserError:
    return UserError(f"Another process of this training has failed. {reason}")


def broken_connection(error: RuntimeError) -> str:
    """Return the first sentence of `error` if the reason for this error is a broken connection; otherwise ""."""
    is_broken = any(text in str(error) for text in BROKEN)
    return str(error).rpartition("] ")[2].partition(". ")[0] if is_broken else ""


def _codes_of_ended(others: Processes) -> str | None:
    """Return the exit codes of the processes that have ended, or None if all are running."""
    for other in others:
        with suppress(subprocess.TimeoutExpired):
            other.wait(1)  # a connection breaks shortly before the process at its other end has ended
    codes = [str(other.returncode) for other in others if other.returncode is not None]
    return ", ".join(codes) or None


@contextmanager
def others_of_machine(launch: Launch, group: Group) -> Iterator[Processes]:
    """Start a process for each further device of this machine before the block, unless a launcher does so.

    After the block, the processes have some seconds to end by themselves, and are then killed. After an error in the
    block, they are killed at once.
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
    """Start a process on this machine, and protect the process from Ctrl-C in the terminal."""
    variables = {"RANK": str(launch.rank), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    place = [launch.rank, launch.local_rank, launch.address, launch.port]
    command = [sys.executable, "-m", "ganexp.commands.launching.worker", *map(str, place)]
    environment = os.environ | variables  # `say` prints nothing if RANK is above 0
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, start_new_session=True)
