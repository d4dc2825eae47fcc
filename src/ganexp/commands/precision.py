"""Choose the precision of a training on the device at hand."""

import math

import torch
from omegaconf import DictConfig

from ganexp.commands.threads import count_flops
from ganexp.training.gan import GAN
from ganexp.training.processes import total

CAPABILITY = 8  # compute capability of the GPUs since 2020, on which bfloat16 is fast
# Half precision is used if both networks together make at least this number of floating-point operations on a batch.
# The smallest case that was measured to be faster in half precision makes 171e9 operations: the SNGAN for 32x32 images
# with a batch size of 64, see docs/benchmarks.md
FLOPS = 150_000_000_000


def choose_precision(cfg: DictConfig, gan: GAN, device: torch.device) -> bool:
    """Replace `trainer.precision=auto` in `cfg` by the precision for the device, so that a resumed run keeps it.

    The precision is bf16-mixed for large networks on a recent GPU if updates are launched as CUDA graphs, and 32-true
    otherwise. Without graphs, half precision makes a step slower, because it adds conversions, each of which the CPU
    must launch. `FasterUpdates.records` decides which updates become graphs.

    Returns:
        Whether `cfg` was changed.
    """
    if cfg.trainer.precision != "auto":
        return False
    capability = torch.cuda.get_device_capability(device)[0] if device.type == "cuda" else 0
    is_alone = total(cfg.trainer) == 1
    has_graphs = is_alone and gan.faster_updates.records(gan) and not cfg.trainer.detect_anomaly
    suits = has_graphs and capability >= CAPABILITY
    cfg.trainer.precision = "bf16-mixed" if suits and _are_large(gan, cfg.schedule.batch_size) else "32-true"
    return True


def _are_large(gan: GAN, batch_size: int) -> bool:
    flops = count_flops(gan)
    return math.isfinite(flops) and flops * batch_size >= FLOPS
