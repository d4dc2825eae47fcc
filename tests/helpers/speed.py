"""Measure CPU time in a way that holds on slow machines, too."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

ADDITIONS = 500_000
USUAL_SECONDS = 0.03  # of as many additions on a usual machine


@dataclass
class Taken:
    """The CPU seconds that a block has taken, divided by how many times slower than usual the machine was."""

    seconds: float = 0.0


@contextmanager
def cpu_time() -> Iterator[Taken]:
    """Measure the CPU time of this process, and of the processes that end in the block."""
    taken, slowness, before = Taken(), _slowness(), _seconds()
    yield taken
    used = _seconds() - before
    taken.seconds = used / max(1.0, (slowness + _slowness()) / 2)


def _seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _slowness() -> float:
    """Return how many times as long as usual a loop of additions takes."""
    started, total = time.process_time(), 0
    for number in range(ADDITIONS):
        total += number
    return (time.process_time() - started) / USUAL_SECONDS
