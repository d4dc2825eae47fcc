"""Compare the gradients of an update that is computed in two ways, and undo the changes that this test makes."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class State:
    """A copy of the networks' buffers and of the random states of CPU and device, to undo the updates of a test.

    Args:
        networks: all networks by name.
        device: the device of the networks.
    """

    def __init__(self, networks: nn.ModuleDict, device: torch.device) -> None:
        self._device, self._random = device, torch.get_rng_state()
        self._device_random = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        self._buffers = [(buffer, buffer.clone()) for buffer in networks.buffers()]

    def restore(self) -> None:
        """Set buffers and random states to the values that they had when this copy was made."""
        torch.set_rng_state(self._random)
        if self._device_random is not None:
            torch.cuda.set_rng_state(self._device_random, self._device)
        for buffer, value in self._buffers:
            buffer.copy_(value)


def difference(
    tested: Callable[[], object], plain: Callable[[], object], parameters: list[nn.Parameter], state: State
) -> float:
    """Return the relative difference between the gradients that two functions compute.

    Both functions compute two updates, starting from the same `state`. Then the gradients of the second update are
    compared: the norm of their difference is divided by the norm of the gradient from `plain`.

    Args:
        tested: function that computes the gradients of `parameters` in the way that is being tested.
        plain: function that computes the same gradients in the plain way.
        parameters: the parameters of the network that is updated.
        state: the state in which both functions start; it is not restored at the end.
    """
    gradients = []
    for compute in (tested, plain):
        state.restore()
        compute()
        compute()
        gradients.append(_flat_gradient(parameters))
    by_tested, by_plain = gradients
    return float((by_tested - by_plain).norm() / by_plain.norm().clamp_min(1e-12))


def _flat_gradient(parameters: list[nn.Parameter]) -> Tensor:
    return torch.cat([each.grad.flatten().float() for each in parameters if each.grad is not None]).clone()
