"""Connect the processes of a training, one for each device, and exchange values between them.

Without a process group, which is the normal case, there is one process, and nothing is exchanged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from pytorch_lightning.plugins.environments import LightningEnvironment
from torch import Tensor, distributed

T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """The number of processes of a training, and the rank of this process.

    Args:
        rank: number of this process, counted from 0.
        size: number of all processes.
        devices: number of processes on each machine. The ranks of these processes are consecutive.
    """

    rank: int
    size: int
    devices: int

    @property
    def local_rank(self) -> int:
        """Return the number of this process on its machine, which is also the number of its GPU."""
        return self.rank % self.devices


def total(trainer: Any) -> int:
    """Return the number of processes of a training, one for each device of each machine.

    Args:
        trainer: the section `trainer` of the config.
    """
    return int(trainer.devices * trainer.num_nodes)


def join(group: Group, store: distributed.Store) -> None:
    """Connect with the other processes: by gloo for tensors on the CPU, and by NCCL for tensors on a GPU.

    Args:
        group: the rank of this process, and the number of processes.
        store: a store that all of the processes can reach.
    """
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if torch.cuda.device_count() > group.local_rank:
        torch.cuda.set_device(group.local_rank)
    distributed.init_process_group(backend, store=store, rank=group.rank, world_size=group.size)


def leave() -> None:
    """Disconnect from the other processes."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def count() -> int:
    """Return the number of processes that are connected; 1 if there is no process group."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Return the number of this process; 0 if there is no process group."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def of_first(value: T) -> T:
    """Return, in every process, the `value` of the process with rank 0."""
    if count() == 1:
        return value
    values = [value]
    distributed.broadcast_object_list(values)
    return values[0]


def of_all(value: T) -> list[T]:
    """Return, in every process, the `value` of each process, in the order of the ranks."""
    values = [value] * count()
    if count() > 1:
        distributed.all_gather_object(values, value)
    return values


def any_of(flags: Sequence[bool]) -> list[bool]:
    """Return for each flag whether it is set in any process. This does not wait for a GPU."""
    if count() == 1:
        return list(flags)
    counts = torch.tensor(flags, dtype=torch.int32)
    distributed.all_reduce(counts)
    return [number > 0 for number in counts.tolist()]


@torch.no_grad()
def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors of one dtype by their means over the processes, in one exchange."""
    if count() == 1 or not tensors:
        return
    flat = torch.cat([each.flatten() for each in tensors])
    distributed.all_reduce(flat)
    flat /= count()
    parts = flat.split([each.numel() for each in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view(tensor.shape))


class StartedProcesses(LightningEnvironment):
    """Tell Lightning that all processes are already running, and which rank this process has.

    Args:
        devices: number of processes on each machine.
    """

    def __init__(self, devices: int) -> None:
        super().__init__()
        self.devices = devices

    @property
    def creates_processes_externally(self) -> bool:
        """Whether the processes are started without Lightning: always true."""
        return True

    def local_rank(self) -> int:
        """Return the number of this process on its machine."""
        return rank() % self.devices

    def node_rank(self) -> int:
        """Return the number of this machine."""
        return rank() // self.devices

    def teardown(self) -> None:
        """Keep the environment variables; Lightning's method would remove WORLD_SIZE."""
