"""Let the processes of a training meet: the first one hands out the config, and learns why another one has failed."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from omegaconf import DictConfig, OmegaConf
from torch.distributed import PrefixStore, Store, TCPStore

from ganexp.commands.launched import Launch
from ganexp.errors import UserError

SECONDS_TO_MEET = 600.0
SECONDS_OF_A_TRY = 30.0  # after which a process says that it waits
SECONDS_TO_HEAR = 10.0  # of the others, before the first process ends with its store
POLL = 0.1  # seconds
TASK, PRESENT, HEARD, FAILURE = "task", "present", "heard", "failure"


@dataclass(frozen=True)
class Task:
    """What the first process hands out: the resolved config, and the absolute path of the run directory."""

    cfg: DictConfig
    path: str

    def to_text(self) -> str:
        """Return the task as JSON, which is read without running code."""
        return json.dumps({"config": OmegaConf.to_yaml(self.cfg), "path": self.path})


class Meeting:
    """Exchange a few values before the processes are connected, and after a connection is broken.

    Args:
        store: the store of torch.distributed, which all processes can reach.
        size: number of the processes, if it is known.
        port: port of the store on this machine, if this process has opened it.
    """

    def __init__(self, store: Store, size: int | None = None, port: int = 0) -> None:
        self.store, self.size, self.port = store, size, port
        self._handed_out = False

    def hand_out(self, task: Task | int) -> None:
        """Give the other processes their task, or an exit code if there is nothing to train. Only the first call does.

        It is called in the first process, which waits until the others have their exit code, because the store may end
        with it.
        """
        if self._handed_out:
            return
        self._handed_out = True
        self.store.set(TASK, str(task) if isinstance(task, int) else task.to_text())
        deadline = time.monotonic() + SECONDS_TO_HEAR
        while isinstance(task, int) and self.store.add(HEARD, 0) < self._others() and time.monotonic() < deadline:
            time.sleep(POLL)

    def _others(self) -> int:
        """Return the number of other processes; those that are there if it is not known."""
        return self.store.add(PRESENT, 0) if self.size is None else self.size - 1

    def task(self) -> Task | int:
        """Wait for the first process, and return the task or the exit code that it hands out.

        Raises:
            RuntimeError: the first process has ended.
        """
        self.store.add(PRESENT, 1)
        while not self.store.check([TASK]):  # it may prepare a dataset for hours; a signal ends this wait
            time.sleep(POLL)
        content = json.loads(self.store.get(TASK))
        self.store.add(HEARD, 1)
        if isinstance(content, int):
            return content
        return Task(DictConfig(OmegaConf.create(content["config"])), content["path"])

    def report(self, failure: str) -> None:
        """Tell the first process why this one has failed, if it is still there."""
        with suppress(RuntimeError):
            self.store.set(FAILURE, failure)

    def failure(self) -> str | None:
        """Return why another process has failed, or None."""
        with suppress(RuntimeError):
            if self.store.check([FAILURE]):
                return self.store.get(FAILURE).decode()
        return None


_open: list[Meeting] = []  # that of a launcher, while the first process runs a command


@contextmanager
def opened(launch: Launch) -> Iterator[None]:
    """Let the others wait for a task within the block. If they get none, they end when the block does.

    Raises:
        UserError: the processes do not meet in time.
    """
    meeting = meet(launch)
    _open.append(meeting)
    try:
        yield
    except BaseException:
        meeting.hand_out(1)
        raise
    else:
        meeting.hand_out(0)
    finally:
        _open.remove(meeting)


def current_meeting() -> Meeting:
    """Return the meeting with the processes of a launcher, or a new one that only this machine can reach."""
    if _open:
        return _open[-1]
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    descriptor = listening.detach()
    store = TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False, master_listen_fd=descriptor)
    return Meeting(_named(store), port=port)


def meet(launch: Launch) -> Meeting:
    """Connect with the store of the first process; in that process, create it and wait for the others.

    Raises:
        UserError: the processes do not meet in time.
    """
    is_owner = launch.is_first and not launch.has_store
    deadline = time.monotonic() + SECONDS_TO_MEET
    while True:
        try:
            store = TCPStore(
                launch.address,
                launch.port,
                launch.size,
                is_owner,
                timeout=timedelta(seconds=SECONDS_TO_MEET if is_owner else min(SECONDS_OF_A_TRY, SECONDS_TO_MEET)),
                wait_for_workers=launch.size is not None,
            )
            store.set_timeout(timedelta(seconds=SECONDS_TO_MEET))
            return Meeting(_named(store, launch.attempt), launch.size)
        except RuntimeError as error:
            if is_owner or time.monotonic() > deadline:
                raise UserError(_not_met(launch, error)) from None
            place = f"{launch.address}, port {launch.port}"
            print(f"{launch.by}: waiting for the first process of this training at {place}", file=sys.stderr)


def _named(store: Store, attempt: str = "") -> Store:
    """Return a store of the values of one training."""
    return PrefixStore(f"ganexp/{attempt}", store)


def _not_met(launch: Launch, error: RuntimeError) -> str:
    reason = str(error).partition("\n")[0]
    return (
        f"{launch.by}: the processes of this training do not meet at {launch.address}, port {launch.port}, which "
        f"MASTER_ADDR and MASTER_PORT can change: {reason}"
    )
