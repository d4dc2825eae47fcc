"""Train one network in several processes, one for each device: who they are, and what they exchange.

Without a process group, which is the normal case, nothing here does anything.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from lightning_fabric.plugins.environments.lightning import find_free_network_port
from pytorch_lightning.plugins.environments import LightningEnvironment
from torch import Tensor, distributed

from ganexp.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """The processes of a training, all on this machine, and the place of this one among them.

    Args:
        rank: number of this process, and of its GPU.
        size: number of all processes.
        port: port of this machine at which they meet.
    """

    rank: int
    size: int
    port: int


def refuse_launchers(devices: int) -> None:
    """Check that no other program has started several processes.

    Raises:
        UserError: torchrun or srun has started them.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise UserError(
            "ganexp was started by torchrun, which it does not need: start `ganexp` itself. trainer=ddp "
            "trainer.devices=2 trains on two devices"
        )
    if devices > 1 and (tasks := int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))) > 1:
        raise UserError(
            f"srun started {tasks} tasks, and trainer.devices={devices} would start {devices} processes in each: use "
            f"srun --ntasks=1 with {devices} GPUs"
        )


def new_group(size: int) -> Group:
    """Return the group of `size` processes of which this one is the first."""
    return Group(0, size, find_free_network_port())


def join(group: Group) -> None:
    """Connect with the other processes: by gloo for tensors on the CPU, and by NCCL for tensors on a GPU."""
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if torch.cuda.device_count() > group.rank:
        torch.cuda.set_device(group.rank)
    url = f"tcp://127.0.0.1:{group.port}"
    distributed.init_process_group(backend, url, rank=group.rank, world_size=group.size)


def leave() -> None:
    """Disconnect from the other processes."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def count() -> int:
    """Return the number of processes that are connected; 1 without a process group."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Return the number of this process; 0 without a process group."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def of_first(value: T) -> T:
    """Return the value of the first process in every process."""
    if count() == 1:
        return value
    values = [value]
    distributed.broadcast_object_list(values)
    return values[0]


def of_all(value: T) -> list[T]:
    """Return the values of all processes in every process, by rank."""
    values = [value] * count()
    if count() > 1:
        distributed.all_gather_object(values, value)
    return values


def any_of(flags: Sequence[bool]) -> list[bool]:
    """Return for each flag whether it is set in a process. It does not wait for a GPU."""
    if count() == 1:
        return list(flags)
    counts = torch.tensor(flags, dtype=torch.int32)
    distributed.all_reduce(counts)
    return [number > 0 for number in counts.tolist()]


@torch.no_grad()
def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors of one type by their means over the processes, in one exchange."""
    if count() == 1 or not tensors:
        return
    flat = torch.cat([each.flatten() for each in tensors])
    distributed.all_reduce(flat)
    flat /= count()
    parts = flat.split([each.numel() for each in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view(tensor.shape))


class StartedProcesses(LightningEnvironment):
    """Tell Lightning that all processes run already, and which of them this one is."""

    @property
    def creates_processes_externally(self) -> bool:
        """Whether Lightning need not start processes."""
        return True

    def local_rank(self) -> int:
        """Return the number of this process."""
        return rank()

    def teardown(self) -> None:
        """Leave the environment variables alone."""
