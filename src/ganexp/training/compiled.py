"""Compute the gradients of an update with one function, which torch.compile makes from all operations of the update.

The function computes the forward passes, the loss, the penalties with their second-order gradients, and the gradients
of the weights. All this is compiled together, because torch cannot compute second-order gradients through a network
that is compiled alone. The optimizer's step is not part of the function, so that optimizers, learning rates and
checkpoints work as usual.
"""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganexp.autocast import without_autocast
from ganexp.console import say, say_once
from ganexp.data.stream import Batch as RealBatch
from ganexp.errors import first_line
from ganexp.tf32 import without_tf32
from ganexp.training.cuda_graphs import Compute, Results
from ganexp.training.self_test import State, difference
from ganexp.training.updates import Backward

BACKEND = "inductor"
# With these options, random numbers are drawn by the same operations in the same order as without compilation.
OPTIONS: dict[str, Any] = {"fallback_random": True, "reorder_for_locality": False, "reorder_for_peak_memory": False}
RECOMPILE_LIMIT = 64  # larger than the number of combinations of network, backend and batch size
# Tolerances of the self-test, relative to the norm of the gradient. With TF32, gradients differ by some per cent from
# gradients in 32 bits. In half precision, gradients of compiled operations differ by 2 % from gradients without
# compilation, because compiled operations round fewer intermediate results.
TOLERANCE, ROUNDED_TOLERANCE = 1e-4, 0.1

Evaluate = Callable[[Backward, RealBatch], Results]
Update = Callable[[Tensor, Tensor | None], tuple[Any, ...]]


class CompiledUpdates:
    """Compute gradients with a compiled function for each network; the network's first update tests the function.

    If an update cannot be compiled, or if compilation changes the gradients too much, a warning is shown and the run
    continues without compilation. The random numbers are the same as without compilation.

    Args:
        compute: function that computes the gradients of a phase for a real batch, without compilation.
        evaluate: function that returns the loss of a phase for a real batch, with the graph for the gradients, and the
            values to log. The function must not change the state of Python objects.
        networks: all networks by name. `evaluate` may change their buffers in place.
    """

    def __init__(self, compute: Compute, evaluate: Evaluate, networks: nn.ModuleDict) -> None:
        self.compute, self.evaluate, self.networks = compute, evaluate, networks
        self._updates: dict[str, Update] = {}
        self._failed = False
        logging.getLogger("torch.utils.cpp_extension").addFilter(_is_useful)

    def __call__(self, phase: Backward, real: RealBatch) -> Results:
        """Compute the gradients of the phase."""
        if not self._failed and phase.network not in self._updates:
            self._prepare(phase, real)
        if not self._failed:
            try:
                return self._run(phase, real)
            except torch._dynamo.exc.TorchDynamoException as error:  # raised before anything is computed
                self._fail(f"the update of the {phase.network} cannot be compiled again: {first_line(error)}")
        return self.compute(phase, real)

    def _prepare(self, phase: Backward, real: RealBatch) -> None:
        """Compile and test the update of the phase's network.

        In TF32 or half precision, the tolerance is large. Second-order gradients are a small part of some gradients, so
        that the test might not notice if they were missing. The update is then also tested in 32 bits, with a backend
        that does not compile to machine code.
        """
        say_once(f"trainer.compile: compiling the update of the {phase.network}, which can take minutes")
        device = real.images.device
        state = State(self.networks, device)
        try:
            if _is_rounded(device):
                with without_autocast(device), without_tf32():
                    self._test(phase, real, "aot_eager", TOLERANCE, state)
            self._test(phase, real, BACKEND, ROUNDED_TOLERANCE if _is_rounded(device) else TOLERANCE, state)
        except torch.OutOfMemoryError:
            self._updates.pop(phase.network, None)  # an update that is repeated in more parts is tested again
            raise
        except RuntimeError as error:
            self._fail(f"the update of the {phase.network} is not compiled: {first_line(error)}")
        finally:
            state.restore()

    def _test(self, phase: Backward, real: RealBatch, backend: str, tolerance: float, state: State) -> None:
        """Compile the update of the phase's network, and compare the gradients with and without compilation.

        Raises:
            RuntimeError: The gradients differ, or torch cannot compile the update.
        """
        parameters = self._trained(phase)
        self._updates[phase.network] = torch.compile(
            _update(self.evaluate, phase.network, parameters),
            fullgraph=True,
            dynamic=False,
            backend=backend,
            options=OPTIONS if backend == "inductor" else None,
        )
        error = difference(lambda: self._run(phase, real), lambda: self.compute(phase, real), parameters, state)
        if not error <= tolerance:
            raise RuntimeError(f"the gradients differ by {error:.1e} of their norm from gradients without compilation")

    def _run(self, phase: Backward, real: RealBatch) -> Results:
        """Compute the gradients of the phase with the compiled function."""
        images = real.images.detach().requires_grad_()  # some releases of torch cannot do this in a compiled function
        with torch._dynamo.config.patch(trace_autograd_ops=True, recompile_limit=RECOMPILE_LIMIT):
            gradients, loss, terms, accuracies = self._updates[phase.network](images, real.labels)
        for parameter, gradient in zip(self._trained(phase), gradients, strict=True):
            parameter.grad = gradient
        return Results(loss, terms, accuracies)

    def _trained(self, phase: Backward) -> list[nn.Parameter]:
        return [parameter for parameter in self.networks[phase.network].parameters() if parameter.requires_grad]

    def _fail(self, reason: str) -> None:
        self._failed = True
        self._updates.clear()
        warn(reason)


def _is_useful(record: logging.LogRecord) -> bool:
    """Return False for torch's message that CUDA's compiler was found on a machine without a GPU, else True."""
    return not str(record.msg).startswith("No CUDA runtime is found")


def warn(reason: str) -> None:
    """Print, in one line, why the updates of a run are not compiled."""
    say(f"warning: trainer.compile: {reason.rstrip('.')}. The run continues without compilation.")


def _update(evaluate: Evaluate, network: str, parameters: list[nn.Parameter]) -> Update:
    """Return the function to compile, which maps real images and labels to gradients, loss, terms and accuracies."""
    phase = Backward(network)

    def update(images: Tensor, labels: Tensor | None) -> tuple[Any, ...]:
        results = evaluate(phase, RealBatch(images, labels))
        with without_autocast(images.device):
            gradients = torch.autograd.grad(results.loss, parameters, allow_unused=True)
        stored = [_stored_like(*pair) for pair in zip(parameters, gradients, strict=True)]
        return stored, results.loss.detach(), results.terms, results.accuracies

    return update


def _stored_like(parameter: nn.Parameter, gradient: Tensor | None) -> Tensor | None:
    """Return the gradient in the memory format of its parameter, which a fused optimizer on a GPU requires."""
    return None if gradient is None else torch.empty_like(parameter).copy_(gradient)


def _is_rounded(device: torch.device) -> bool:
    """Return whether operations on the device use half precision or TF32, which are less accurate than 32 bits."""
    return torch.is_autocast_enabled(device.type) or (device.type == "cuda" and torch.backends.cudnn.allow_tf32)
