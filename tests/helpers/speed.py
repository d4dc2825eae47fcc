"""Measure the CPU time of commands, so that tests can compare two commands even if the machine is slow or busy."""

import resource
import subprocess


def cpu_seconds(*command: str) -> float:
    """Run a command, and return the CPU seconds of its process.

    Raises:
        subprocess.CalledProcessError: the command fails.
    """
    before = _of_ended_processes()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return _of_ended_processes() - before


def _of_ended_processes() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
