"""The random numbers of torch, NumPy and Python's `random`: save and restore their state, or set it by a seed."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def random_state(device: torch.device) -> dict[str, Any]:
    """Return the state as tensors and plain values; on a GPU, also the state of `device`, but of no other GPU."""
    version, numbers, gauss = random.getstate()
    numpy_state: dict[str, Any] = np.random.get_state(legacy=False)  # not a tuple
    keys = numpy_state["state"]["key"].tolist()
    state = {
        "cpu": torch.get_rng_state(),
        "python": [version, list(numbers), gauss],
        "numpy": numpy_state | {"state": numpy_state["state"] | {"key": keys}},
    }
    return state | ({"cuda": [torch.cuda.get_rng_state(device)]} if device.type == "cuda" else {})


def restore_random_state(state: Mapping[str, Any], device: torch.device) -> None:
    """Restore a state that `random_state` has returned, as far as it is known for `device`."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["cpu"].cpu())
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"][0].cpu(), device)


def seed_random_numbers(seed: int, device: torch.device) -> None:
    """Set the state according to `seed`, which is below 2⁶³; on a GPU, also the current GPU's state."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)  # faster than torch.manual_seed, which seeds all GPUs
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


@contextmanager
def separate_random_numbers(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the random numbers of the code in the `with` block, and restore their state afterwards."""
    state = random_state(device)
    seed_random_numbers(seed, device)
    try:
        yield
    finally:
        restore_random_state(state, device)
