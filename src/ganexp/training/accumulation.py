"""Compute the gradients of an update in equal parts of its batch, if the memory is too small for the whole batch."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from ganexp.console import say
from ganexp.data.stream import Batch as RealBatch
from ganexp.errors import UserError, first_line
from ganexp.losses.objective import Objective
from ganexp.training import processes
from ganexp.training.cuda_graphs import Compute, Results
from ganexp.training.update_batches import UpdateBatches
from ganexp.training.updates import Backward

if TYPE_CHECKING:
    from ganexp.training.gan import GAN

OnOom = Literal["halve", "raise"]


class AccumulatedUpdates:
    """Average the gradients, the loss and the changed buffers of an update over equal parts of its batch.

    Buffers are, for example, the running statistics of batch norm, the vectors of spectral norm and BEGAN's k. Every
    part starts with the buffers that the networks and the objective had before the update. The parts therefore compute
    what the same number of devices would compute.

    If an update runs out of memory, it is repeated with twice as many parts. This happens at most once in a run. The
    repeated update has the same random numbers and starts with the same buffers. Only the images that
    `loss/modifier=replay` has stored are not restored.

    Args:
        networks: all networks by name.
        objective: the objective, which may have buffers.
        batches: the images and labels of the updates.
        parts: number of parts; it must divide the number of images in a batch.
        on_oom: if an update runs out of memory, `halve` repeats it with twice as many parts; `raise` raises the error.

    Attributes:
        parts: the present number of parts.
        on_halved: function that is called with entries for run.json, after the size of the parts was halved.
    """

    def __init__(
        self, networks: nn.ModuleDict, objective: Objective, batches: UpdateBatches, parts: int, on_oom: OnOom
    ) -> None:
        self.networks, self.batches, self.parts = networks, batches, parts
        self._configured_parts, self._may_halve = parts, on_oom == "halve"
        self.on_halved: Callable[[Mapping[str, Any]], None] = lambda facts: None
        self._state = _State([networks, objective])
        self._least_images = least_images(networks, objective)

    def __call__(self, compute: Compute, phase: Backward, real: RealBatch) -> Results:
        """Compute the gradients of the phase's network, and return the means of the results over the parts.

        Args:
            compute: function that computes the gradients of a phase for a real batch.
            phase: the update.
            real: the real images of the update on this device.

        Raises:
            torch.OutOfMemoryError: the memory is too small, and the update is not repeated with smaller parts.
        """
        can_be_repeated = reports_out_of_memory(real.images.device) and self._can_be_repeated(phase, real)
        if can_be_repeated or self.parts > 1:
            self._state.save(real.images.device)
        try:
            return self._compute(compute, phase, real)
        except torch.OutOfMemoryError:
            if not can_be_repeated:
                raise
        # here, no exception refers to the tensors of the failed update any more, so that their memory is free
        self._halve(phase, real)
        return self._compute(compute, phase, real)

    def _can_be_repeated(self, phase: Backward, real: RealBatch) -> bool:
        """Return whether the update can be repeated with twice as many parts.

        If the updates of a step share generated images, only the first of these updates can be repeated, because
        afterwards the shared images already exist, in parts of the old size.
        """
        is_first = self._may_halve and self.parts == self._configured_parts and processes.count() == 1
        size, rest = divmod(len(real.images), 2 * self.parts)
        return is_first and not rest and size >= self._least_images and not self.batches.has_shared_fakes

    def _halve(self, phase: Backward, real: RealBatch) -> None:
        """Restore what the failed update has changed, and double the number of parts."""
        self._state.restore_buffers()
        self._state.restore_random_state()
        self.batches.start_step()  # forget images that the failed update has stored for other updates
        forget_gradients(self.networks[phase.network].parameters())  # other networks may still need their gradients
        if real.images.device.type == "cuda":
            torch.cuda.empty_cache()
        self.parts *= 2
        say(
            f"out of memory in an update of the {phase.network}: from now on, the {len(real.images)} images of an "
            f"update go through the networks in {self.parts} parts (trainer.on_oom=halve)"
        )
        self.on_halved({"update": phase.network, "accumulate": self.parts})

    def _compute(self, compute: Compute, phase: Backward, real: RealBatch) -> Results:
        if self.parts == 1:
            return compute(phase, real)
        sums: list[Tensor] = []
        for number, part in enumerate(_split(real, self.parts)):
            if number:
                self._state.restore_buffers()
            results = compute(replace(phase, part=number), part)
            gradients = [each.grad for each in self.networks[phase.network].parameters() if each.grad is not None]
            values = [*gradients, *_tensors(results), *self._state.changes()]
            sums = _add(sums, values)
        return self._average(phase, results, sums)

    @torch.no_grad()
    def _average(self, phase: Backward, results: Results, sums: list[Tensor]) -> Results:
        """Divide `sums` by the number of parts. Set gradients and buffers to the means; return the mean results."""
        means = iter(torch._foreach_div(sums, self.parts))
        for parameter in self.networks[phase.network].parameters():
            if parameter.grad is not None:
                parameter.grad = next(means)
        loss = next(means)
        terms = {name: next(means) for name in results.terms}
        accuracies = {name: next(means) for name in results.accuracies}
        self._state.apply_changes(list(means))
        return Results(loss, terms, accuracies)

    def state_dict(self) -> dict[str, int]:
        """Return the number of parts if it was doubled, so that a resumed run keeps this number."""
        return {} if self.parts == self._configured_parts else {"accumulate": self.parts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the number of parts. A number that was doubled after the checkpoint was saved stays doubled."""
        self.parts = max(self.parts, state.get("accumulate", 1))


def forget_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Remove the gradients of the parameters, as `zero_grad` of their optimizer does, but in less time."""
    for parameter in parameters:
        parameter.grad = None


def least_images(networks: nn.ModuleDict, objective: Objective, norm_is_synchronised: bool = False) -> int:
    """Return the smallest number of images that a part of a batch may have.

    Batch norm of vectors needs two images, because it divides by the deviation over the images. An adversarial loss
    that needs more than one image has the class attribute `least_images`.

    Args:
        networks: all networks by name.
        objective: the objective.
        norm_is_synchronised: whether batch norm uses the images of several devices.
    """
    norms = [layer for layer in networks.modules() if isinstance(layer, nn.BatchNorm1d)]
    needs_two = any(getattr(norm, "needs_separate_batches", True) for norm in norms) and not norm_is_synchronised
    return max(2 if needs_two else 1, getattr(objective.adversarial, "least_images", 1))


def reports_out_of_memory(device: torch.device) -> bool:
    """Return whether torch raises torch.OutOfMemoryError when the memory of `device` is too small: not on a CPU."""
    return device.type != "cpu"


def out_of_memory(error: torch.OutOfMemoryError, gan: "GAN", batch_size: int) -> UserError:
    """Return the error for a training that runs out of memory; it suggests settings that need less memory."""
    parts, devices = gan.accumulated.parts, processes.count()
    images = batch_size // devices
    shared = "" if devices == 1 else f", which {devices} devices share"
    how = "together" if parts == 1 else f"in {parts} equal parts"
    most = images // least_images(gan.networks, gan.objective)
    fitting = [number for number in range(parts + 1, most + 1) if images % number == 0]
    more = f"schedule.accumulate={fitting[0]}" if fitting else ""
    if more and gan.faster_updates.cuda_graph is True:  # a graph needs whole batches
        more += " trainer.cuda_graph=auto"
    return UserError(
        f"out of memory: {first_line(error)}\nAn update has schedule.batch_size={batch_size} images{shared}. They go "
        f"through the networks {how}: use {more + ' or ' if more else ''}a smaller schedule.batch_size. If an "
        "evaluation ran out of memory, use a smaller metrics.batch_size."
    )


class _State:
    """A copy of the buffers of modules and of the random state of a device, made before an update."""

    def __init__(self, modules: list[nn.Module]) -> None:
        self._modules, self._saved = modules, list[Tensor]()

    @cached_property
    def _owners(self) -> list[tuple[nn.Module, str]]:
        """The layers that have buffers, with the names of the buffers.

        They are looked up at the first update, because synchronised batch norm replaces layers before the training.
        """
        layers = [layer for module in self._modules for layer in module.modules()]
        return [(layer, name) for layer in layers for name, _ in layer.named_buffers(recurse=False)]

    def _buffers(self) -> list[Tensor]:
        """Return the present buffers, which may be new tensors, because a layer may replace a buffer."""
        return [getattr(layer, name) for layer, name in self._owners]

    def save(self, device: torch.device) -> None:
        """Keep a copy of the buffers, and the random state of the device."""
        buffers, self._device = self._buffers(), device
        if [each.device for each in self._saved] != [each.device for each in buffers]:
            self._saved = [torch.empty_like(each) for each in buffers]
        for kind in {each.dtype for each in buffers}:  # one call copies all buffers of a dtype, which is fast on a GPU
            pairs = [pair for pair in zip(self._saved, buffers, strict=True) if pair[1].dtype == kind]
            torch._foreach_copy_([saved for saved, _ in pairs], [buffer for _, buffer in pairs])
        self._random = torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()

    def restore_buffers(self) -> None:
        """Replace the buffers by copies of the saved ones.

        The old tensors do not change, because the graph of shared images may still use them.
        """
        for (module, name), saved in zip(self._owners, self._saved, strict=True):
            setattr(module, name, saved.clone())

    def restore_random_state(self) -> None:
        """Set the random state to the saved one."""
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(self._random, self._device)
        else:
            torch.set_rng_state(self._random)

    def changes(self) -> list[Tensor]:
        """Return how the floating-point buffers have changed since they were saved."""
        pairs = zip(self._buffers(), self._saved, strict=True)
        return [buffer - saved for buffer, saved in pairs if buffer.is_floating_point()]

    def apply_changes(self, changes: list[Tensor]) -> None:
        """Set the floating-point buffers to the saved values plus `changes`."""
        floating = [index for index, saved in enumerate(self._saved) if saved.is_floating_point()]
        for index, change in zip(floating, changes, strict=True):
            module, name = self._owners[index]
            setattr(module, name, self._saved[index] + change)


def _split(real: RealBatch, parts: int) -> Iterator[RealBatch]:
    images = real.images.chunk(parts)
    labels = [None] * parts if real.labels is None else real.labels.chunk(parts)
    return map(RealBatch, images, labels)


def _tensors(results: Results) -> list[Tensor]:
    return [results.loss, *results.terms.values(), *results.accuracies.values()]


def _add(sums: list[Tensor], values: list[Tensor]) -> list[Tensor]:
    """Return `sums` plus `values`, or a copy of the `values` if there are no sums yet."""
    if not sums:
        return [value.clone() for value in values]
    torch._foreach_add_(sums, values)
    return sums
