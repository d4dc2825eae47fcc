"""Run code in separate processes, without importing torch and Lightning in each of them.

A server process imports both once, and every other process is a fork of this server. In test_cli.py, `python -m ganexp`
is tested without the server.
"""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["ganexp.cli", "ganexp.commands.resume", "tensorboard.summary.writer.event_file_writer"]
)


class CommandProcess:
    """A running command, with the methods of `subprocess.Popen` that tests need.

    Args:
        arguments: the command line after ganexp.
        cwd: the working directory.
    """

    def __init__(self, arguments: tuple[str, ...], cwd: Path) -> None:
        self._output = tempfile.NamedTemporaryFile(prefix="ganexp-output-")  # noqa: SIM115 (closed with the object)
        call = (arguments, str(cwd), dict(os.environ), self._output.name)
        self._process = _context.Process(target=_run, args=call)
        self._process.start()

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Return the exit code, which is negative if a signal ended the process; None while the process runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the process."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process, and return the exit code; fail after `timeout` seconds."""
        self._process.join(timeout)
        if self.returncode is None:
            self.kill()
            raise AssertionError(f"the process is still running after {timeout} s:\n{self.output()}")
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Wait for the end of the process, and return what the process wrote to stdout and stderr."""
        self.wait(timeout)
        return self.output(), None

    def output(self) -> str:
        """Return the output so far."""
        return Path(self._output.name).read_text()


def _run(arguments: tuple[str, ...], cwd: str, environ: dict[str, str], output: str) -> None:
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(file, stream.fileno())
    torch.set_num_threads(1)  # as in the tests' own process
    multiprocessing.set_start_method(None, force=True)  # the platform's default, as for a user
    sys.argv = ["ganexp", *arguments]
    from ganexp import cli

    cli.main()


def in_new_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of `function(*arguments)`, computed in a separate process with one thread."""
    with ProcessPoolExecutor(1, _context, torch.set_num_threads, (1,)) as pool:
        return pool.submit(function, *arguments).result(timeout=200)


def command_line(number: int | str) -> str:
    """Return the command line of a process; "" if the process has ended."""
    try:
        return Path(f"/proc/{number}/cmdline").read_text()
    except OSError:
        return ""


def wait_for_end(numbers: Iterable[int | str]) -> None:
    """Wait until the processes with these ids have ended; fail after 20 seconds."""
    deadline = time.monotonic() + 20
    while any(command_line(number) for number in numbers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
