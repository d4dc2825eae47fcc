"""Compute the gradients of an update with one CUDA graph, so that the CPU need not launch every operation.

A step of a small GAN launches thousands of short operations, and the CPU takes longer to launch them than the GPU takes
to carry them out. A graph records the operations of an update once and launches them together. The optimizer's step is
not part of the graph, so that optimizers and learning rates work as usual.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ganexp.console import say
from ganexp.data.stream import Batch as RealBatch
from ganexp.errors import first_line
from ganexp.training.self_test import State, difference
from ganexp.training.updates import Backward

WARM_UPS = 3  # number of updates before the recording; cuDNN and cuBLAS choose their algorithms in these updates
TOLERANCE = 0.02  # of the self-test, relative to the gradient's norm; above 0, because the order of additions can vary


@dataclass
class Results:
    """What an update computes besides its gradients.

    Args:
        loss: the sum of the terms, a scalar.
        terms: the loss terms by name; empty if they will not be logged.
        accuracies: the discriminator's accuracy on each kind of images, `real` and `fake`; empty if not computed.
    """

    loss: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)
    accuracies: dict[str, Tensor] = field(default_factory=dict)


Compute = Callable[[Backward, RealBatch], Results]


class GraphedUpdates:
    """Compute gradients with a graph for each network; the network's first update records and tests the graph.

    If an update cannot be recorded, or if a graph changes the gradients too much, a warning is shown and the run
    continues without graphs.

    Args:
        compute: function that computes the gradients of a phase for a real batch. The function must neither read values
            from the device nor change the state of Python objects.
        networks: all networks by name. `compute` may change their buffers in place.
    """

    def __init__(self, compute: Compute, networks: nn.ModuleDict) -> None:
        self.compute, self.networks = compute, networks
        self._graphs: dict[str, _Graph] = {}
        self._failed = False

    def __call__(self, phase: Backward, real: RealBatch) -> Results:
        """Compute the gradients of the phase. The next update overwrites the results, except for the loss."""
        if not self._failed and phase.network not in self._graphs:
            self._record(phase, real)
        if self._failed:
            return self.compute(phase, real)
        results = self._graphs[phase.network].replay(real)
        return replace(results, loss=results.loss.clone())

    def _record(self, phase: Backward, real: RealBatch) -> None:
        state = State(self.networks, real.images.device)
        labels = None if real.labels is None else real.labels.clone()
        graph = _Graph(RealBatch(real.images.clone(), labels), list(self.networks[phase.network].parameters()))
        try:
            graph.record(lambda batch: self.compute(phase, batch))
            graph.gradients = [parameter.grad for parameter in graph.parameters]
            error = difference(lambda: graph.replay(real), lambda: self.compute(phase, real), graph.parameters, state)
        except RuntimeError as problem:
            _leave_recording(real.images.device)
            self._fail(f"the update of the {phase.network} cannot be recorded: {first_line(problem)}")
        else:
            if error <= TOLERANCE:
                self._graphs[phase.network] = graph
            else:
                self._fail(
                    f"the gradients of the {phase.network} differ by {error:.1e} of their norm from gradients without "
                    "a graph"
                )
        state.restore()

    def _fail(self, reason: str) -> None:
        self._failed = True
        self._graphs.clear()
        say(f"warning: trainer.cuda_graph: {reason.rstrip('.')}. The run continues without graphs.")


class _Graph:
    """A CUDA graph of an update, with the tensors that the graph reads and writes."""

    def __init__(self, inputs: RealBatch, parameters: list[nn.Parameter]) -> None:
        self.inputs, self.parameters = inputs, parameters
        self.gradients: list[Tensor | None] = []  # the gradients of `parameters`; the graph writes them
        self.graph = torch.cuda.CUDAGraph()

    def record(self, compute: Callable[[RealBatch], Results]) -> None:
        """Record the operations of `compute` on the inputs."""
        with _side_stream():
            for _ in range(WARM_UPS):
                compute(self.inputs)
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):  # other threads may copy images meanwhile
            self.results = compute(self.inputs)

    def replay(self, real: RealBatch) -> Results:
        """Copy a real batch to the inputs, and compute the gradients and results."""
        self.inputs.images.copy_(real.images)
        if self.inputs.labels is not None and real.labels is not None:
            self.inputs.labels.copy_(real.labels)
        self.graph.replay()
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient  # Lightning removes the gradients before each validation
        return self.results


def _leave_recording(device: torch.device) -> None:
    """Let the device draw random numbers again after a recording has failed.

    After a failed recording, torch leaves the random generator in a mode in which it refuses to draw. The random
    generator therefore gets a new state, with another seed; the caller must then restore the old random state.
    """
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].graphsafe_set_state(torch.Generator(device))


@contextmanager
def _side_stream() -> Iterator[None]:
    """Run the block on a separate CUDA stream, as torch requires for the updates before a recording."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream().wait_stream(stream)
