"""Schedules of learning rates over a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

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


def make_schedulers(optimizers: Mapping[str, Optimizer], decay: LinearDecay | None, steps: int) -> list[dict[str, Any]]:
    """Return a scheduler of each optimizer in the form in which Lightning takes it, or none without a decay.

    Args:
        optimizers: by the network's name; `LearningRateMonitor` logs lr/NAME.
        decay: factor of the learning rates at a share of the run.
        steps: length of the run; a scheduler is stepped once in each of them.
    """
    if decay is None:
        return []
    schedulers = {name: LambdaLR(each, lambda step: decay(step / steps)) for name, each in optimizers.items()}
    return [{"scheduler": each, "interval": "step", "name": f"lr/{name}"} for name, each in schedulers.items()]


def batch_size_scale(batch_size: int, reference_batch: int | None) -> float:
    """Return the factor of learning rates that are meant for `reference_batch` (None: 1), linear in the batch size."""
    return batch_size / reference_batch if reference_batch else 1.0
