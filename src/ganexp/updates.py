"""Update rules: how many discriminator updates a step has, in which order, on which batches.

A step is one generator update. A rule holds no tensors; the GAN asks it after every discriminator update whether that
was enough.
"""

from dataclasses import dataclass, field
from typing import Any

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
