"""Train a generator, a discriminator and optional further networks with manual optimization.

A step has one generator update. Only this module calls the optimizers.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganexp import log_keys
from ganexp.autocast import without_autocast
from ganexp.data.stream import Batch as RealBatch
from ganexp.data.stream import ImageStream
from ganexp.losses.objective import Objective
from ganexp.models.latent import Latent
from ganexp.models.spectral_group import normalise_once, spectral_norm_groups
from ganexp.pixels import PixelRange
from ganexp.training import processes
from ganexp.training.accumulation import AccumulatedUpdates, OnOom, forget_gradients
from ganexp.training.cuda_graphs import GraphedUpdates, Results
from ganexp.training.ema import AveragedGenerator
from ganexp.training.faster_updates import FasterUpdates
from ganexp.training.optimizer_state import use_memory_format_of_parameters
from ganexp.training.schedules import LinearDecay, ProgressiveGrowth, make_schedulers, parts_with_progress, set_progress
from ganexp.training.scored_module import ScoredModule
from ganexp.training.steps_per_call import shortest_call
from ganexp.training.update_batches import UpdateBatches
from ganexp.training.update_values import UpdateValues
from ganexp.training.updates import Backward, FixedRatio, Step


class GAN(ScoredModule):
    """The networks of a GAN, their objective, and the order of their updates.

    Args:
        networks: networks by name. `generator` maps latents (N, d) and labels (N,) or None to images (N, C, H, W) in
            [-1, 1]; `discriminator` maps images and labels or None to logits. The objective may train further networks.
        objective: the object that computes the named loss terms of each network.
        update_rule: the sequence of updates in a step.
        optimizers: for each network name, the function that creates an optimizer for the network's parameters.
        latent: distribution of the latents.
        num_classes: number of classes of a conditional GAN; 0 trains without labels.
        steps: length of the run in generator updates.
        max_d_steps: number of discriminator updates after which the run ends before its last step; None means no limit.
        pixel_range: range of the pixels of real images. With `unit`, [0, 1], generated images are clamped to this range
            before they are shown or scored.
        lr_decay: function that maps a share of the run to the factor of the learning rates; None keeps them constant.
        clip_gradients: for each network name, the maximum gradient norm; None or a missing entry means no clipping.
        averaged_generator: moving average of the generator to sample from; None samples from the trained generator.
        log_every: number of updates between two points at which values are logged, see `evaluate_by`.
        growth: function that maps a step to the stage of networks that grow; None leaves them at full size.
        evaluate_every: number of updates between two evaluations; each evaluation ends an epoch of Lightning.
        evaluate_by: what `evaluate_every` and `log_every` count: generator updates (`steps`), or discriminator updates.
        faster_updates: whether to compile the updates, or to replay them as CUDA graphs.
        accumulate: number of equal parts of a batch; the gradients of the parts are averaged.
        on_oom: if an update runs out of memory, `halve` repeats it with twice as many parts, and `raise` ends the run.

    Attributes:
        gradient_function: function that computes the gradients of an update; `faster_updates` chooses it at the start.
        steps_per_d_update: the discriminator is updated at least once in any sequence of this many steps.
        losses_logged_at: the last step with logged losses, -1 at first. `ScoredModule` describes the other attributes.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        objective: Objective,
        update_rule: FixedRatio,
        optimizers: Mapping[str, Callable[[list[nn.Parameter]], Optimizer]],
        latent: Latent,
        num_classes: int,
        steps: int,
        max_d_steps: int | None = None,
        pixel_range: PixelRange = "symmetric",
        lr_decay: LinearDecay | None = None,
        clip_gradients: Mapping[str, float | None] | None = None,
        averaged_generator: AveragedGenerator | None = None,
        log_every: int = 50,
        growth: ProgressiveGrowth | None = None,
        evaluate_every: int = 1000,
        evaluate_by: Literal["steps", "d_steps"] = "steps",
        faster_updates: FasterUpdates | None = None,
        accumulate: int = 1,
        on_oom: OnOom = "halve",
    ) -> None:
        super().__init__(latent, num_classes, pixel_range)
        self.automatic_optimization = False
        self.networks, self.averaged_generator, self.objective = nn.ModuleDict(networks), averaged_generator, objective
        self.further_networks = [name for name in networks if name not in ("generator", "discriminator")]
        self.update_rule = update_rule
        self.optimizer_factories, self.lr_decay, self.growth = dict(optimizers), lr_decay, growth
        self.max_norms = {name: norm for name, norm in (clip_gradients or {}).items() if norm is not None}
        self.steps, self.max_d_steps, self.log_every = steps, max_d_steps, log_every
        self.evaluate_every, self.evaluate_by = evaluate_every, evaluate_by
        self.steps_per_d_update = getattr(update_rule, "n_gen", math.ceil(1 / (update_rule.updates_per_step or 1)))
        self._values = UpdateValues()
        self._batches = UpdateBatches(self.networks, latent, num_classes, update_rule.labels)
        self.accumulated = AccumulatedUpdates(self.networks, objective, self._batches, accumulate, on_oom)
        self.faster_updates, self.losses_logged_at = faster_updates or FasterUpdates(), -1
        self.gradient_function: Callable[[Backward, RealBatch], Results] = self.compute_gradients
        # with joint batches, spectral norm makes one power iteration for each update
        self._norm_groups = spectral_norm_groups(networks.values()) if objective.joint_batch else []
        self._told_progress = parts_with_progress(self)

    def connect(self, stream: ImageStream) -> None:
        """Take the real images from `stream`, and give the update rule the number of batches in an epoch."""
        self.stream = stream
        if hasattr(self.update_rule, "set_batches_per_epoch"):
            self.update_rule.set_batches_per_epoch(stream.batches_per_epoch)

    @property
    def generator(self) -> nn.Module:
        """The trained generator, not its average."""
        return self.networks["generator"]

    @property
    def discriminator(self) -> nn.Module:
        """The discriminator, or critic."""
        return self.networks["discriminator"]

    @property
    def sampling_generator(self) -> nn.Module:
        """The generator to sample images from: the averaged generator if there is one."""
        return self.generator if self.averaged_generator is None else self.averaged_generator

    # Training

    def configure_optimizers(self) -> tuple[list[Optimizer], list[dict[str, Any]]]:  # type: ignore[override]
        """Return the optimizers, and a dict for each scheduler. Lightning's annotation does not allow these types."""
        self._parameters_of = {name: list(network.parameters()) for name, network in self.networks.items()}
        optimizers = {name: self.optimizer_factories[name](list_) for name, list_ in self._parameters_of.items()}
        return list(optimizers.values()), make_schedulers(optimizers, self.lr_decay, lambda: self.share_done)

    def on_fit_start(self) -> None:
        """End the training immediately if the resumed run is already done, or was stopped by a callback."""
        self.trainer.should_stop = self.is_done or self.was_stopped

    def on_train_start(self) -> None:
        """Store optimizer states in the memory format of the parameters, and choose how the steps are computed."""
        for optimizer in self.trainer.optimizers:
            use_memory_format_of_parameters(optimizer)
        self.gradient_function = self.faster_updates.choose(self)
        self._shortest_call = shortest_call(self.trainer)

    def on_train_end(self) -> None:
        """Free the graphs and compiled functions, because Lightning moves the networks to the CPU afterwards."""
        self.gradient_function = self.compute_gradients
        self.faster_updates.free()

    @property
    def _is_graphed(self) -> bool:
        return isinstance(self.gradient_function, GraphedUpdates)

    def training_step(self, _batch: int, _index: int) -> None:
        """Make one step, or several if they are short, see `steps_per_call`. Steps that are logged end the call."""
        end = time.perf_counter() + self._shortest_call
        self.make_step()
        while not (self.losses_logged_at == self.step or self._period_ends) and time.perf_counter() < end:
            self.make_step()

    def make_step(self) -> None:
        """Carry out the phases of the update rule, which include exactly one generator update."""
        self.clock.start()  # every validation pauses the clock: evaluation, pictures and checkpoints are not training
        torch.set_autocast_cache_enabled(False)  # cached half-precision weights would be out of date within a step
        set_progress(self._told_progress, self.share_done, self.step, self.growth)
        self._optimizer_of = self._optimizers_by_network()
        self._batches.start_step()
        before = self._counter
        self._run_phases()
        self.step += 1
        for scheduler in cast(list, self.lr_schedulers() or []):
            scheduler.step()
        if self.averaged_generator is not None:
            self.averaged_generator.update(self.generator, self.step)
        if before // self.log_every < self._counter // self.log_every:
            self._log_losses()
        if self.is_done:
            self.trainer.should_stop = True
        elif before // self.evaluate_every < self._counter // self.evaluate_every:
            self._end_period()

    @property
    def _counter(self) -> int:
        """The number of generator or discriminator updates so far, whichever `evaluate_by` chooses."""
        return self.d_steps if self.evaluate_by == "d_steps" else self.step

    @property
    def _may_be_logged(self) -> bool:
        """Whether a network's last update before values are logged can be in this step, see `steps_per_d_update`."""
        return self.evaluate_by == "d_steps" or -(self.step + 1) % self.log_every < self.steps_per_d_update

    def _run_phases(self) -> None:
        phases = self.update_rule.phases(self.further_networks)
        carried_out, result = [], None
        try:
            while not self._d_steps_are_used_up:
                phase = phases.send(result)
                result = self._carry_out(phase)
                carried_out.append((type(phase), phase.network))
        except StopIteration:
            return
        phases.close()  # the run ends within this step; the generator is still updated if its update is missing
        for phase in (Backward("generator", "same", self.update_rule.fakes), Step("generator")):
            if (type(phase), "generator") not in carried_out:
                self._carry_out(phase)

    def _carry_out(self, phase: Backward | Step) -> Tensor | None:
        if isinstance(phase, Backward):
            return self._backward(phase)
        if self._may_be_logged:
            self._values.keep_gradient_norm(phase.network, self._parameters_of[phase.network])
        if phase.network in self.max_norms:
            nn.utils.clip_grad_norm_(self._parameters_of[phase.network], self.max_norms[phase.network])
        self._optimizer_of[phase.network].step()
        if phase.network == "discriminator":
            if self.objective.constraint:
                self.objective.constraint(self.discriminator)
            self.d_steps += 1
            self.images_seen += len(self._real.images) * processes.count()
            if processes.count() > 1:  # average the objective's state, such as BEGAN's k
                processes.average([each for each in self.objective.buffers() if each.is_floating_point()])
        return None

    def _backward(self, phase: Backward) -> Tensor:
        """Compute a network's gradients, and return the network's loss, detached from the graph."""
        if phase.real == "next":
            assert self.stream is not None
            self._real = next(self.stream)
        results = self.accumulated(self.gradient_function, phase, self._real)
        self._values.add_loss(phase.network, results.loss)
        if self._may_be_logged:
            self._values.keep_terms(phase.network, results.loss, results.terms)
            self._values.keep_accuracies(results.accuracies)
        return results.loss

    def compute_gradients(self, phase: Backward, real: RealBatch) -> Results:
        """Compute the gradients of the phase's network for a real batch, and return the network's loss.

        The result also has the loss terms and the accuracies if this step can log them, or if the update is recorded as
        a CUDA graph.
        """
        results = self.evaluate(phase, real, self._may_be_logged or self._is_graphed)
        forget_gradients(self._parameters_of[phase.network])
        trained = [parameter for parameter in self._parameters_of[phase.network] if parameter.requires_grad]
        with without_autocast(results.loss.device):  # for accurate second-order gradients
            self.manual_backward(results.loss, inputs=trained)
        return replace(results, loss=results.loss.detach())

    def evaluate(self, phase: Backward, real: RealBatch, may_be_logged: bool = True) -> Results:
        """Return the network's loss with its graph, and the loss terms and accuracies if `may_be_logged` is true."""
        with normalise_once(self._norm_groups):
            batch = self._batches.batch(phase, real)
            terms = self.objective.terms(phase.network, self.networks, batch)
        loss = torch.stack(list(terms.values())).sum()
        if not may_be_logged:
            return Results(loss)
        return Results(loss, {name: term.detach() for name, term in terms.items()}, self.objective.accuracies(batch))

    def _optimizers_by_network(self) -> dict[str, Any]:
        """Return the optimizers by network name. Lightning wraps only the generator's optimizer, to count its steps."""
        optimizers = dict(zip(self.networks, cast(list, self.optimizers(use_pl_optimizer=False)), strict=True))
        return optimizers | {"generator": cast(list, self.optimizers())[0]}

    # Logging

    def _log_losses(self) -> None:
        """Log the values of the last updates, and the objective's values. This waits for the device."""
        values = {log_keys.objective_key(name): value for name, value in self.objective.values().items()}
        self.losses_logged_at = self.step
        for name in self._values.taken:  # values of the last logged step
            self.logged.pop(name, None)
        self.log_values(self._values.take(values, self.device))

    def losses_since_logged(self) -> dict[str, float]:
        """Return the mean loss of each network since its loss was last logged. This waits for the device."""
        return {network: mean.item() for network, mean in self._values.means().items()}

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the counters, the state of the update rule, and the losses that are not logged yet."""
        super().on_save_checkpoint(checkpoint)
        state = {"update_rule": self.update_rule.state_dict(), "values": self._values.state_dict()}
        checkpoint["ganexp"] |= state | self.accumulated.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what `on_save_checkpoint` has added."""
        super().on_load_checkpoint(checkpoint)
        state = checkpoint["ganexp"]
        self.update_rule.load_state_dict(state["update_rule"])
        self.accumulated.load_state_dict(state)
        self._values.load_state_dict(state["values"])
