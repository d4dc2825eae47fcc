"""Update rules: how many discriminator updates a step has, in which order, on which batches.

A step is one generator update. The GAN asks its rule after every discriminator update whether that was enough.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

ORDERS = ("discriminator_first", "generator_first", "simultaneous")
FAKES = ("fresh", "shared")
LABELS = ("uniform", "real")


@dataclass
class FixedRatio:
    """`n_critic` discriminator updates a generator update.

    Args:
        n_critic: discriminator updates a step.
        order: `discriminator_first`; `generator_first`; or `simultaneous`, where both gradients are taken at the same
            weights and then both networks step (n_critic 1).
        reuse_real: all discriminator updates of a step see the same real batch.
        fakes: `fresh` draws new latents for every update; `shared` makes one batch of fakes a step, from the
            generator as it is at the step's start, and uses it for every update of the step.
        labels: which labels the fakes get in the discriminator's and the generator's updates: `uniform` at random,
            or those of the `real` batch.
    """

    n_critic: int = 1
    order: str = "discriminator_first"
    reuse_real: bool = False
    fakes: str = "fresh"
    labels: dict[str, str] = field(default_factory=lambda: {"discriminator": "real", "generator": "uniform"})

    def __post_init__(self) -> None:
        if self.n_critic < 1:
            raise ValueError(f"n_critic={self.n_critic}: at least 1")
        _one_of("order", self.order, ORDERS)
        _one_of("fakes", self.fakes, FAKES)
        for network in ("discriminator", "generator"):
            _one_of(f"labels.{network}", self.labels.get(network), LABELS)
        if self.order == "simultaneous" and self.n_critic != 1:
            raise ValueError(f"order=simultaneous takes n_critic=1, got {self.n_critic}")

    def enough(self, updates: int, loss: Tensor) -> bool:
        """Whether the discriminator, after `updates` updates of this step with this last loss, gives way."""
        return updates >= self.n_critic

    @property
    def updates_a_step(self) -> int | None:
        """Discriminator updates of every step; None where they depend on the losses."""
        return self.n_critic

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold for the rule to go on as if nothing had been."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up `state` of an equal rule."""


@dataclass
class LossLimit(FixedRatio):
    """One discriminator update a step, but `1 + burst` where its loss has not fallen below a limit.

    The SAGAN article's rule: a generator update, a discriminator update, and if then the mean of the last `window`
    discriminator losses is `limit` or more, `burst` discriminator updates before the next step.

    Args:
        limit: of the mean loss; None never holds the generator back, and then no loss is read from the device.
        window: losses the mean is taken of.
        burst: further discriminator updates.
        repeat_burst: False: at most one burst a step, so that the ratio is at most 1 + burst. True: the limit is checked
            again after every burst, so that the generator waits until the mean is below it, as in the article's code.
        epoch: discriminator updates after which losses and burst are forgotten, as at the end of an epoch in the
            article's code; None: never.
    """

    order: str = "generator_first"
    limit: float | None = None
    window: int = 5
    burst: int = 4
    repeat_burst: bool = False
    epoch: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_critic != 1 or self.window < 1 or self.burst < 1 or (self.epoch is not None and self.epoch < 1):
            raise ValueError("a loss limit takes n_critic=1, and window, burst and epoch of at least 1")
        if self.repeat_burst and self.epoch is None:
            raise ValueError("repeat_burst=True needs epoch=…, or the generator may wait for ever")
        self._losses: list[Tensor | float] = []
        self._seen = 0

    def enough(self, updates: int, loss: Tensor) -> bool:
        if self.limit is None:
            return True
        self._losses = [*self._losses, loss][-self.window :]
        self._seen += 1
        if self._seen == self.epoch:
            self._losses, self._seen = [], 0
            return True
        if updates == 1 or (self.repeat_burst and (updates - 1) % self.burst == 0):
            seen = [torch.as_tensor(value, dtype=loss.dtype, device=loss.device) for value in self._losses]
            return not torch.stack(seen).mean() >= self.limit  # a loss that is not finite holds nothing up
        return not self.repeat_burst and updates == self.burst + 1

    @property
    def updates_a_step(self) -> int | None:
        return 1 if self.limit is None else None

    def state_dict(self) -> dict[str, Any]:
        return {"losses": [float(loss) for loss in self._losses], "seen": self._seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._losses, self._seen = list(state["losses"]), state["seen"]


@dataclass
class LinearDecay:
    """Learning rates times 1 until `start` of the run (a fraction), then on a line to `end` at its last step."""

    start: float = 0.0
    end: float = 0.0

    def __call__(self, progress: float) -> float:
        """The factor at `progress` in [0, 1]."""
        if progress <= self.start:
            return 1.0
        return 1.0 + (self.end - 1.0) * (progress - self.start) / (1.0 - self.start)


def _one_of(key: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{key}={value}: use one of {', '.join(choices)}")
