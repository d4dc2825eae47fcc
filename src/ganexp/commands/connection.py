"""Start the processes that train one network together, connect with them, and end them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from omegaconf import DictConfig

from ganexp.console import say
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory
from ganexp.training import processes
from ganexp.training.processes import Group

SECONDS_TO_END = 30  # that the other processes have after the first


@contextmanager
def connected(cfg: DictConfig, run: RunDirectory) -> Iterator[None]:
    """Start the other processes of a training and connect with them; end them after the block.

    Nothing happens if the config has one device.

    Raises:
        UserError: another process has ended.
    """
    if cfg.trainer.devices == 1:
        yield
        return
    group = processes.new_group(cfg.trainer.devices)
    others = start_others(group)
    try:
        processes.join(group)
        processes.of_first((cfg, str(run.path.absolute())))
        say(f"processes: {group.size}, each with {cfg.schedule.batch_size // group.size} images of a batch")
        yield
        for other in others:
            with suppress(subprocess.TimeoutExpired):
                other.wait(SECONDS_TO_END)
    except RuntimeError as error:
        if (codes := _codes_of_ended(others)) is None:
            raise
        raise UserError(f"Another process of this training has ended, with exit code {codes}: {error}") from None
    finally:
        processes.leave()
        for other in others:
            other.kill()
            other.wait()


def _codes_of_ended(others: list[subprocess.Popen[bytes]]) -> str | None:
    """Return the exit codes of the processes that have ended, or None if all are running."""
    for other in others:
        with suppress(subprocess.TimeoutExpired):
            other.wait(1)  # the connection breaks before the process has ended
    codes = [str(other.returncode) for other in others if other.returncode is not None]
    return ", ".join(codes) or None


def start_others(group: Group) -> list[subprocess.Popen[bytes]]:
    """Start all processes of a group but the first, which ignore Ctrl-C in the terminal."""
    started = []
    for rank in range(1, group.size):
        variables = {"RANK": str(rank), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        numbers = [str(number) for number in (rank, group.size, group.port)]
        command = [sys.executable, "-m", "ganexp.commands.worker", *numbers]
        environment = os.environ | variables  # with a RANK, nothing is printed
        started.append(subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, start_new_session=True))
    return started
