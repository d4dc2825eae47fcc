"""Schedules of the learning rates, and of the stage of networks that grow, over a run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ganexp.types import NonNegativeFloat, PositiveInt, UnitInterval


@dataclass
class LinearDecay:
    """Keep the learning rates constant until `start`, then decay them linearly to `end` times their initial value.

    Use it when scores still jump late in a run (Miyato et al. 2018 and Gulrajani et al. 2017 decay to 0).

    Args:
        start: share of the run in [0, 1] at which the decay starts.
        end: factor of the learning rates that they would have after the last step.
    """

    start: UnitInterval = 0.0
    end: NonNegativeFloat = 0.0

    def __call__(self, progress: float) -> float:
        """Return the factor at `progress`, the share of the run in [0, 1]."""
        if progress <= self.start:
            return 1.0
        return 1.0 + (self.end - 1.0) * (progress - self.start) / (1.0 - self.start)


@dataclass
class ProgressiveGrowth:
    """Raise the stage of growing networks a little in every step (Karras et al. 2018, section 2).

    After `images_per_stage` images, the stage has risen by 1. The stage is a function of the step, so that a
    resumed run continues with the same stage.

    Use it with networks that have stages, when the images are large.

    Args:
        images_per_stage: number of images after which the stage has risen by 1.
        batch_size: number of images that are counted for each step.
    """

    images_per_stage: PositiveInt
    batch_size: PositiveInt

    def __call__(self, step: int) -> float:
        """Return the stage after `step` steps."""
        return step * self.batch_size / self.images_per_stage


def parts_with_progress(module: nn.Module) -> list[nn.Module]:
    """Return the parts of `module` that have a method `set_progress` or `set_stage`."""
    return [each for each in module.modules() if hasattr(each, "set_progress") or hasattr(each, "set_stage")]


def set_progress(networks: Iterable[Any], progress: float, step: int, growth: ProgressiveGrowth | None) -> None:
    """Tell the networks the progress of the run, and set the stage of the networks that grow, before the next step.

    Args:
        networks: networks and other parts; their methods `set_progress` and `set_stage`, if any, are called.
        progress: the completed share of the run, in [0, 1].
        step: number of steps that have been made.
        growth: function that maps a step to the stage; None leaves the stages as they are.
    """
    networks = list(networks)
    for network in networks:
        if hasattr(network, "set_progress"):
            network.set_progress(progress)
    set_stage(networks, step, growth)


def set_stage(networks: Iterable[Any], step: int, growth: Callable[[int], float] | None) -> None:
    """Set the stage of the networks that grow to `growth(step)`; if `growth` is None, the stage does not change."""
    for network in networks:
        if growth is not None and hasattr(network, "set_stage"):
            network.set_stage(growth(step))


def make_schedulers(
    optimizers: Mapping[str, Optimizer], decay: LinearDecay | None, progress: Callable[[], float]
) -> list[dict[str, Any]]:
    """Return a scheduler for each optimizer in the format that Lightning expects; an empty list if `decay` is None.

    Args:
        optimizers: optimizers by network name; `LearningRateMonitor` logs their learning rates as lr/NAME.
        decay: function that maps a share of the run to the factor of the learning rates.
        progress: function that returns the completed share of the run. It is called when the schedulers are
            made, and again for every step of the run.
    """
    if decay is None:
        return []
    schedulers = {name: LambdaLR(each, lambda _: decay(progress())) for name, each in optimizers.items()}
    return [{"scheduler": each, "interval": "step", "name": f"lr/{name}"} for name, each in schedulers.items()]


def batch_size_scale(batch_size: int, reference_batch: int | None) -> float:
    """Return the factor that adapts learning rates to `batch_size`; 1 if `reference_batch` is None.

    Args:
        batch_size: the batch size of the run.
        reference_batch: the batch size that suits the unscaled learning rates.
    """
    return batch_size / reference_batch if reference_batch else 1.0
