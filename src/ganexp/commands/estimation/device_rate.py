"""Measure how fast a device multiplies: the best rate of a convolution or a matrix product."""

import time
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from ganexp.commands.estimation.timing import clock

SECONDS = 0.4  # for each of the two measurements


@cache
def best_rate(device: torch.device, dtype: torch.dtype, threads: int) -> float:
    """Return the best rate that was measured on a device, in floating-point operations per second.

    On a GPU, 32-bit numbers are multiplied with TF32 if TF32 is switched on.

    Args:
        device: the device.
        dtype: the type of the numbers.
        threads: the number of torch's threads. This function does not set the number, but the cache has one rate for
            each number.
    """
    size, batch, calls = (8192, 256, 5) if device.type == "cuda" else (1024, 8, 1)
    matrix = torch.randn(size, size, device=device, dtype=dtype)
    images = torch.randn(batch, 256, 16, 16, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    weight = torch.randn(256, 256, 3, 3, device=device, dtype=dtype).to(memory_format=torch.channels_last)

    def multiply() -> Tensor:
        return matrix @ matrix

    def convolve() -> Tensor:
        return torch.nn.functional.conv2d(images, weight, padding=1)

    return max(
        _rate(device, 2 * size**3, multiply, calls), _rate(device, 2 * batch * 256 * 256 * 9 * 16 * 16, convolve, calls)
    )


def _rate(device: torch.device, operations: int, work: Callable[[], Tensor], calls: int) -> float:
    """Return the best measured rate of `work`, in operations per second.

    Args:
        device: the device.
        operations: number of operations of one call of `work`.
        work: the function to time.
        calls: number of calls that are timed together.
    """
    work()
    best, end = 0.0, time.perf_counter() + SECONDS
    while not best or time.perf_counter() < end:
        started = clock(device)
        for _ in range(calls):
            work()
        best = max(best, calls * operations / (clock(device) - started))
    return best
