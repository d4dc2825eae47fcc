"""Find out whether torchrun, srun or a user started several processes for one training.

This module must not import torch.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganexp.console import count
from ganexp.errors import UserError

BY_HAND = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
MAX_PORT = 65_535
# The port under SLURM is this number plus the last four digits of the job id, as in Lightning, plus the number of the
# job's step.
FIRST_PORT = 15000


@dataclass(frozen=True)
class Launch:
    """The place of this process among the processes that were started for a training, and where all of them meet.

    Attributes:
        by: the program that started the processes, or the environment variables of the processes; used in messages.
        rank: number of this process among all processes; None if it depends on the number of devices of a machine.
        size: number of all processes; None if it depends on the config.
        local_rank: number of this process among the processes of its machine.
        node: number of the machine; None if `rank` is known.
        address: address of the machine of the first process (rank 0).
        port: port at which the processes meet, on the machine of the first process.
        name: what distinguishes this training from others that meet at the same place: the id of torchrun's run, or the
            numbers of SLURM's job and step.
        has_store: whether the launcher itself keeps the store at which the processes meet, as torchrun does.
        starts_others: whether this process starts the processes for the other devices of its machine.
    """

    by: str
    rank: int | None
    size: int | None
    local_rank: int
    address: str
    port: int
    node: int | None = None
    name: str = ""
    has_store: bool = False
    starts_others: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this process composes the config, and writes all files."""
        return (self.node if self.rank is None else self.rank) == 0 and self.local_rank == 0

    def rank_among(self, devices: int) -> int:
        """Return the number of this process, if each machine has `devices` devices."""
        if self.rank is not None:
            return self.rank
        return (self.node or 0) * devices + self.local_rank


def launched(environ: Mapping[str, str] = os.environ) -> Launch | None:
    """Return how this process was started together with others; None if `ganexp` was started alone.

    Raises:
        UserError: an environment variable is not a whole number, or MASTER_PORT is not a valid port.
    """
    launch = _by_torchrun(environ) or _by_srun(environ) or _by_hand(environ)
    if launch is not None and not 0 < launch.port <= MAX_PORT:
        raise UserError(f"MASTER_PORT={launch.port}: the port must be from 1 to {MAX_PORT}")
    return launch


def _number(environ: Mapping[str, str], name: str, default: int = 0) -> int:
    """Return the number in an environment variable, or `default` if there is no such variable.

    Raises:
        UserError: the value of the variable is not a whole number, or is negative.
    """
    text = environ.get(name) or str(default)
    if not text.isdecimal():
        raise UserError(f"{name}={text}: this environment variable must be a whole number, 0 or larger")
    return int(text)


def _by_torchrun(environ: Mapping[str, str]) -> Launch | None:
    """Return the place of a process that torchrun, or a program with the same environment variables, has started."""
    if not {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= environ.keys():
        return None
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT")
    rank, size, local_rank, port = (_number(environ, name) for name in names)
    by = "torchrun" if "TORCHELASTIC_RUN_ID" in environ else f"RANK={rank} WORLD_SIZE={size}"
    has_store = environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    name = environ.get("TORCHELASTIC_RUN_ID", "")
    return Launch(by, rank, size, local_rank, environ["MASTER_ADDR"], port, name=name, has_store=has_store)


def _by_srun(environ: Mapping[str, str]) -> Launch | None:
    if (size := _number(environ, "SLURM_STEP_NUM_TASKS", 1)) == 1:
        return None
    from lightning_fabric.plugins.environments import SLURMEnvironment  # only now, because it imports torch

    nodes = environ.get("SLURM_STEP_NODELIST", "127.0.0.1")
    address = environ.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(nodes)
    job, step = _number(environ, "SLURM_JOB_ID"), _number(environ, "SLURM_STEP_ID")
    port = _number(environ, "MASTER_PORT", FIRST_PORT + job % 10_000 + step)
    rank, local_rank = _number(environ, "SLURM_PROCID"), _number(environ, "SLURM_LOCALID")
    return Launch("srun", rank, size, local_rank, address, port, name=f"{job}.{step}")


def _by_hand(environ: Mapping[str, str]) -> Launch | None:
    """Return the place of a process that a user started on one of several machines."""
    if not environ.keys() >= set(BY_HAND):
        return None
    node, address, port = _number(environ, "NODE_RANK"), environ["MASTER_ADDR"], _number(environ, "MASTER_PORT")
    local_rank, starts_others = _number(environ, "LOCAL_RANK"), "LOCAL_RANK" not in environ
    by = f"NODE_RANK={node}"
    return Launch(by, None, None, local_rank, address, port, node, starts_others=starts_others)


def check_launch(devices: int, nodes: int) -> None:
    """Check that the number of started processes is the number of devices in the config.

    Args:
        devices: number of devices of each machine.
        nodes: number of machines.

    Raises:
        UserError: there are more or fewer processes than devices, the processes of other machines were not started, or
            the processes have wrong numbers on their machines.
    """
    launch, setting = launched(), f"trainer.devices={devices} trainer.num_nodes={nodes}"
    if launch is None and nodes > 1:
        raise UserError(
            f"{setting} needs processes on several machines: start ganexp with srun; or start it on every machine, "
            f"with torchrun or with the environment variables {', '.join(BY_HAND)}; see docs/devices.md"
        )
    if launch is None or launch.size is None:
        return
    if launch.size != devices * nodes:
        raise UserError(
            f"{launch.by} started {count(launch.size, 'process')}, and {setting} needs {devices * nodes}, one for each "
            "device: start this number, or start `ganexp` alone (with srun: --ntasks=1), so that ganexp starts the "
            "processes of its machine"
        )
    if launch.local_rank != launch.rank_among(devices) % devices:
        raise UserError(
            f"{launch.by} gave process {launch.rank} the number {launch.local_rank} on its machine, but {setting} "
            f"needs {devices} consecutive processes on each machine: start {devices} on each; with srun, use "
            "--distribution=block"
        )


def reason_against_devices(trainer: Any) -> str:
    """Return why a sweep is refused if each of its jobs uses several devices; "" if each job uses one device.

    Args:
        trainer: the section `trainer` of the config.
    """
    if trainer.devices * trainer.num_nodes == 1:
        return ""
    return (
        f"trainer.devices={trainer.devices} trainer.num_nodes={trainer.num_nodes}: a job of a sweep trains on one "
        "device. Leave trainer=ddp out (jobs can run side by side, see docs/sweeps.md), or start each training without "
        "-m"
    )
