"""Choose how the gradients of updates are computed: by single operations, compiled functions or CUDA graphs."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from ganexp.training import processes
from ganexp.training.compiled import CompiledUpdates, warn
from ganexp.training.cuda_graphs import Compute, GraphedUpdates
from ganexp.training.schedules import parts_with_progress

if TYPE_CHECKING:
    from ganexp.training.gan import GAN

KNOWN = ("ganexp", "torch", "builtins", "abc", "typing")  # packages whose classes and functions can be recorded


@dataclass(frozen=True)
class FasterUpdates:
    """The faster ways in which a run may compute gradients, if its updates do not change Python objects.

    Args:
        compile: whether torch.compile compiles each update to one function; `auto` compiles if a GPU is the only device
            of the run.
        cuda_graph: whether to replay the updates as CUDA graphs. This is possible only if a GPU is the only device of
            the run. With `compile`, the graphs replay the compiled functions. `auto` uses graphs only if all parts of
            the GAN come from ganexp or torch.
    """

    compile: bool | Literal["auto"] = False
    cuda_graph: bool | Literal["auto"] = False

    def choose(self, gan: "GAN") -> Compute:
        """Return the function that computes the gradients of the updates of `gan`, which is already on its device."""
        on_gpu, compute = gan.device.type == "cuda", gan.compute_gradients
        is_alone = on_gpu and processes.count() == 1
        compiles = self.compile is True or (self.compile == "auto" and is_alone)
        if obstacle := _obstacle(gan):
            if compiles:
                warn(obstacle)
            return compute
        if compiles:
            compute = CompiledUpdates(compute, gan.evaluate, gan.networks)
        if is_alone and self.records(gan):
            compute = GraphedUpdates(compute, gan.networks)
        return compute

    def records(self, gan: "GAN") -> bool:
        """Return whether to record the updates as graphs, if a GPU is the only device of the run.

        An update in several parts (`schedule.accumulate`) replaces buffers by new tensors, but a graph would continue
        to use the old tensors. Anomaly detection reads every result from the GPU, which a graph does not allow.
        """
        is_wanted = _is_known(gan) if self.cuda_graph == "auto" else self.cuda_graph
        return is_wanted and gan.accumulated.parts == 1 and not _obstacle(gan) and not torch.is_anomaly_enabled()

    def free(self) -> None:
        """Remove the compiled functions that torch has stored."""
        if self.compile:
            torch.compiler.reset()


def _is_known(gan: "GAN") -> bool:
    """Return whether all networks, the latents and all parts of the loss come from ganexp or torch.

    A part from elsewhere might use Python's random numbers or count its calls. A graph would not run such Python code
    again.
    """
    parts = [*gan.networks.modules(), gan.latent, *gan.objective.parts]
    return all(name.split(".")[0] in KNOWN for part in parts for name in _definitions(part))


def _definitions(part: object) -> Iterator[str]:
    """Yield the names of the Python modules that define a function, or an object's class and its base classes.

    With spectral norm, for example, the class of a layer is one of torch's, and only a base class tells what it is.
    """
    function = getattr(part, "func", part)  # the function in a functools.partial
    if inspect.isroutine(function):
        yield function.__module__
    else:
        yield from (kind.__module__ for kind in type(part).__mro__)


def _obstacle(gan: "GAN") -> str:
    """Return, for a warning, why updates change Python objects; an empty string if they do not change any."""
    if gan.update_rule.fakes != "fresh":
        return "schedule.updates.fakes=shared keeps generated images for further updates"
    if gan.objective.has_state:
        return "a part of the loss, or an augmentation, has a state of its own"
    if parts_with_progress(gan):
        return "a network, or a part of the loss, changes with the progress of the run"
    return ""
