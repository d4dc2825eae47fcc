"""Time work on a device."""

import time
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


def timed(device: torch.device, work: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds that `work` takes, and its result."""
    started = clock(device)
    result = work()
    return clock(device) - started, result


def clock(device: torch.device) -> float:
    """Return the time in seconds, once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
