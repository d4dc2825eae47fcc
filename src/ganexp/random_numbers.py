"""Seed the random generators of torch, NumPy and Python's `random`, and save and restore their states."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def random_state(device: torch.device) -> dict[str, Any]:
    """Return the states of the random generators, and of `device` if it is a GPU, as tensors and plain values."""
    version, numbers, gauss = random.getstate()
    numpy_state: dict[str, Any] = np.random.get_state(legacy=False)  # a dict, not a tuple
    keys = numpy_state["state"]["key"].tolist()
    state = {
        "cpu": torch.get_rng_state(),
        "python": [version, list(numbers), gauss],
        "numpy": numpy_state | {"state": numpy_state["state"] | {"key": keys}},
    }
    return state | ({"cuda": [torch.cuda.get_rng_state(device)]} if device.type == "cuda" else {})


def restore_random_state(state: Mapping[str, Any], device: torch.device) -> None:
    """Restore the states that `random_state` has returned. A GPU is left as it is if `state` has no entry for a GPU."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["cpu"].cpu())
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"][0].cpu(), device)


def seed_random_numbers(seed: int, device: torch.device) -> None:
    """Seed the random generators with `seed`, which is below 2⁶³; if `device` is a GPU, also seed the current GPU."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)  # faster than torch.manual_seed, which seeds all GPUs
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


@contextmanager
def separate_random_numbers(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the random generators for the code in the `with` block, and restore their states afterwards."""
    state = random_state(device)
    seed_random_numbers(seed, device)
    try:
        yield
    finally:
        restore_random_state(state, device)
