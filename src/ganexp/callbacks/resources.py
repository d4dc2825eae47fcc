"""Show learning rates, speed and memory beside the losses."""

import resource
import sys

import torch
from pytorch_lightning import Callback, Trainer

from ganexp import log_keys
from ganexp.training.gan import GAN


class Resources(Callback):
    """Send learning rates, images per second and the highest memory use to the loggers that accept them.

    The values are sent whenever losses are logged. Because speed and memory differ from run to run, metrics.jsonl has
    none of these values. They are sent to loggers with a method `log_resources(values, step)`, such as TensorBoard.
    """

    def __init__(self) -> None:
        self._before: tuple[int, float] | None = None  # images and seconds at the last logged point

    def on_train_batch_end(self, trainer: Trainer, pl_module: GAN, *args: object) -> None:
        """Send the values, if losses have been logged in this step."""
        if pl_module.losses_logged_at != pl_module.step:
            return
        values = learning_rates(trainer, pl_module) | peak_memory(pl_module.device)
        now = (pl_module.images_seen, pl_module.clock.seconds())
        if self._before is not None and now[1] > self._before[1]:
            values[log_keys.IMAGES_PER_SECOND] = (now[0] - self._before[0]) / (now[1] - self._before[1])
        self._before = now
        for logger in trainer.loggers:
            if hasattr(logger, "log_resources"):
                logger.log_resources(values, pl_module.step)


def learning_rates(trainer: Trainer, gan: GAN) -> dict[str, float]:
    """Return the current learning rate of each network, with its log key as the key."""
    pairs = zip(gan.networks, trainer.optimizers, strict=True)
    return {log_keys.LEARNING_RATE + name: optimizer.param_groups[0]["lr"] for name, optimizer in pairs}


def peak_memory(device: torch.device) -> dict[str, float]:
    """Return the highest memory use in GiB so far: of this process, and of its tensors on a GPU."""
    bytes_of_unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * bytes_of_unit
    values = {f"{log_keys.MEMORY}process_gib": peak / 2**30}
    if device.type == "cuda":
        values[f"{log_keys.MEMORY}gpu_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
    return values
