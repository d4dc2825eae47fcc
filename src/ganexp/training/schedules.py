"""Schedules of learning rates over a run."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch.optim import Optimizer

from ganexp.types import NonNegativeFloat, UnitInterval


@dataclass
class LinearDecay:
    """Multiply the learning rates by 1 until `start` of the run, then linearly down to `end` at its last step.

    Args:
        start: share of the run in [0, 1] at which the decay starts.
        end: factor at the end of the run.
    """

    start: UnitInterval = 0.0
    end: NonNegativeFloat = 0.0

    def __call__(self, progress: float) -> float:
        """Return the factor at `progress`, the share of the run in [0, 1]."""
        if progress <= self.start:
            return 1.0
        return 1.0 + (self.end - 1.0) * (progress - self.start) / (1.0 - self.start)


def set_learning_rates(optimizers: Sequence[Optimizer], factor: float) -> None:
    """Set every learning rate to `factor` times the one that it started with."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def batch_size_scale(batch_size: int, reference_batch: int | None) -> float:
    """Return the factor of learning rates that are meant for `reference_batch` (None: 1), linear in the batch size."""
    return batch_size / reference_batch if reference_batch else 1.0
