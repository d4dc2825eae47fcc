"""Update rules: the order and the number of the updates in a step, and the batches that the updates use.

A step is one generator update. A rule describes a step as a sequence of phases, which `training/gan.py` carries out:

    loss = yield Backward("discriminator", real="next")   # compute gradients; the loss comes back
    yield Step("discriminator")                           # make a step with the network's optimizer

The loss is a tensor on the device, so a rule waits for the device only if it reads the loss. A rule keeps its state in
attributes, and its method `state_dict` returns this state for every checkpoint. A step of the run has exactly one
`Step("generator")`.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import torch
from torch import Tensor

from ganexp.types import PositiveInt, UpdateCount

Real = Literal["next", "same"]
Order = Literal["discriminator_first", "generator_first", "simultaneous"]
Fakes = Literal["fresh", "shared"]
Labels = Literal["real", "uniform"]


@dataclass(frozen=True)
class Backward:
    """Compute a network's loss and its gradients.

    Args:
        network: name of the network, as in the model's configuration.
        real: `next` takes a new batch of real images, `same` the batch of the previous phase.
        fakes: `fresh` draws new latents; `shared` uses the batch of images that is generated once per step.
        part: index of the part of the batch, if the update computes its gradients part by part.
    """

    network: str
    real: Real = "same"
    fakes: Fakes = "fresh"
    part: int = 0


@dataclass(frozen=True)
class Step:
    """Make a step with the optimizer of a network."""

    network: str


Phases = Generator[Backward | Step, Any, None]  # the value sent back after a `Backward` is its loss, a Tensor


@dataclass
class FixedRatio:
    """Make `n_critic` discriminator updates for each generator update, or for every `n_gen` generator updates.

    Use it as the usual rule: with n_critic=1 for a discriminator that classifies images as real or generated
    (Goodfellow et al. 2014), and with n_critic=5 for a critic that must stay near its optimum (Gulrajani et al. 2017).

    Args:
        n_critic: number of discriminator updates in each step that updates the discriminator.
        n_gen: the discriminator is updated only in every `n_gen`-th step, so that discriminator updates and generator
            updates have the ratio n_critic : n_gen.
        order: `discriminator_first`, `generator_first`, or `simultaneous`. With `simultaneous`, the gradients of both
            networks are computed before the weights of either network change (n_critic and n_gen must be 1).
        reuse_real: whether to use one real batch for all discriminator updates of a step.
        fakes: `fresh` draws new latents for every update. `shared` generates one batch of images at the start of a
            step and uses it for every update of the step.
        labels: which labels the generated images get in each network's updates: `uniform` draws them at random,
            `real` takes the labels of the real batch.
    """

    n_critic: UpdateCount = 1
    n_gen: PositiveInt = 1
    order: Order = "discriminator_first"
    reuse_real: bool = False
    fakes: Fakes = "fresh"
    labels: dict[str, Labels] = field(default_factory=lambda: {"discriminator": "real", "generator": "uniform"})

    def __post_init__(self) -> None:
        if missing := {"discriminator", "generator"} - self.labels.keys():
            raise ValueError(f"labels={self.labels}: give labels for {' and '.join(sorted(missing))} too")
        for name in ("n_critic", "n_gen"):
            if self.order == "simultaneous" and getattr(self, name) != 1:
                raise ValueError(f"order=simultaneous needs {name}=1, not {getattr(self, name)}")
        self._steps_in_cycle = 0  # steps since the last step that updated the discriminator

    def phases(self, others: Sequence[str] = ()) -> Phases:
        """Yield the phases of one step.

        Args:
            others: further networks, such as a classifier. Each is updated once, before generator and discriminator.
        """
        self._steps_in_cycle = (self._steps_in_cycle + 1) % self.n_gen
        real: Real = "next"
        for network in others:
            yield Backward(network, real)
            yield Step(network)
            real = "same"
        if self._steps_in_cycle:  # no discriminator update; the real batch is drawn for its labels, if any
            yield Backward("generator", real, self.fakes)
            yield Step("generator")
        elif self.order == "discriminator_first":
            yield from self._discriminator_updates(real)
            yield Backward("generator", "same", self.fakes)
            yield Step("generator")
        elif self.order == "generator_first":
            yield Backward("generator", real, self.fakes)
            yield Step("generator")
            yield from self._discriminator_updates("same")
        else:
            yield Backward("generator", real, self.fakes)
            yield from self._discriminator_updates("same")
            yield Step("generator")

    def _discriminator_updates(self, real: Real) -> Phases:
        updates, done = 0, False
        while not done:
            loss: Tensor = yield Backward("discriminator", real, self.fakes)
            yield Step("discriminator")
            updates += 1
            done = self.discriminator_is_done(updates, loss)
            real = "same" if self.reuse_real else "next"

    def discriminator_is_done(self, updates: int, loss: Tensor) -> bool:
        """Return whether a step has enough discriminator updates, given their number and the last loss."""
        return updates >= self.n_critic

    @property
    def updates_per_step(self) -> Fraction | int | None:
        """The mean number of discriminator updates in a step, or None if it depends on the losses."""
        return Fraction(self.n_critic, self.n_gen)

    @property
    def batches_per_step(self) -> Fraction | int | None:
        """The mean number of real batches that a step takes from the stream, or None if it depends on the losses."""
        if self.updates_per_step is None and not self.reuse_real:
            return None
        with_discriminator = 1 if self.reuse_real else self.n_critic
        return Fraction(with_discriminator + self.n_gen - 1, self.n_gen)

    def state_dict(self) -> dict[str, Any]:
        """Return the state that is needed to resume the rule exactly."""
        return {} if self.n_gen == 1 else {"steps_in_cycle": self._steps_in_cycle}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned for a rule with the same settings."""
        self._steps_in_cycle = state.get("steps_in_cycle", 0)


@dataclass
class LossLimit(FixedRatio):
    """Make one discriminator update in a step, and a burst of further updates while the discriminator's loss is high.

    This is the rule of the SAGAN article: a generator update, then a discriminator update. If the mean of the last
    `window` discriminator losses is then at least `limit`, `burst` further discriminator updates follow.

    Use it when the discriminator is so weak that its loss stays high.

    Args:
        limit: limit on the mean loss. None means no limit, so that no loss is read from the device.
        window: number of losses in the mean.
        burst: number of further discriminator updates.
        repeat_burst: False makes at most one burst in a step, so that a step has at most 1 + burst discriminator
            updates. True checks the limit again after every burst, so that the next generator update waits until the
            mean is below the limit, as in the article's code.
        epoch: number of discriminator updates after which the stored losses are cleared and a burst ends, as at the end
            of an epoch in the article's code. "dataset" takes the number of batches of the dataset; None means never.
    """

    order: Order = "generator_first"
    limit: float | None = None
    window: PositiveInt = 5
    burst: UpdateCount = 4
    repeat_burst: bool = False
    epoch: PositiveInt | Literal["dataset"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_critic", "n_gen"):
            if getattr(self, name) != 1:
                raise ValueError(
                    f"{name}={getattr(self, name)}: a rule with a loss limit makes one discriminator update per step "
                    "before any burst; for a fixed ratio use schedule/updates=fixed_ratio or generator_first"
                )
        if self.repeat_burst and self.epoch is None:
            raise ValueError("repeat_burst=true needs epoch=…, because otherwise the bursts may never end")
        self._losses: list[Tensor | float] = []
        self._updates_in_epoch = 0
        self._epoch = self.epoch

    def set_batches_per_epoch(self, batches: int) -> None:
        """Set the number of discriminator updates in an epoch to `batches` if `epoch` is "dataset"."""
        if self.epoch == "dataset":
            self._epoch = batches

    def discriminator_is_done(self, updates: int, loss: Tensor) -> bool:
        """Return whether the discriminator updates so far are enough for this step.

        They are enough if there is no limit, if an epoch ends, if the mean loss is below the limit when it is checked,
        or if the burst is over and `repeat_burst` is false.
        """
        if self.limit is None:
            return True
        self._losses = [*self._losses, loss][-self.window :]
        self._updates_in_epoch += 1
        if self._updates_in_epoch == self._epoch:
            self._losses, self._updates_in_epoch = [], 0
            return True
        burst_is_over = self.repeat_burst and (updates - 1) % self.burst == 0
        if updates == 1 or burst_is_over:
            return not self._mean_loss(loss) >= self.limit  # a loss that is NaN does not delay the generator
        return not self.repeat_burst and updates == self.burst + 1

    def _mean_loss(self, like: Tensor) -> Tensor:
        losses = [torch.as_tensor(loss, dtype=like.dtype, device=like.device) for loss in self._losses]
        return torch.stack(losses).mean()

    @property
    def updates_per_step(self) -> int | None:
        """The number of discriminator updates in a step: 1 if `limit` is None, or None if it depends on the losses."""
        return 1 if self.limit is None else None

    def state_dict(self) -> dict[str, Any]:
        """Return the last losses as plain numbers, and the number of discriminator updates so far in this epoch."""
        return {"losses": [float(loss) for loss in self._losses], "updates_in_epoch": self._updates_in_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the losses and the number of discriminator updates so far in this epoch."""
        self._losses, self._updates_in_epoch = list(state["losses"]), state["updates_in_epoch"]
