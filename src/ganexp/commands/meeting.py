"""Let the processes of a training meet: the first one hands out the config, and learns why another one has failed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from omegaconf import DictConfig, OmegaConf
from torch.distributed import TCPStore

from ganexp.commands.launched import Launch
from ganexp.errors import UserError

TIME_TO_MEET = timedelta(minutes=10)
TIME_TO_PREPARE = timedelta(days=3)  # of the first process, which may download a dataset
TIME_TO_HEAR = timedelta(seconds=10)  # of the others, before the first process ends with its store
TASK, HEARD, FAILURE = "ganexp/task", "ganexp/heard", "ganexp/failure"


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
    """

    def __init__(self, store: TCPStore, size: int | None = None) -> None:
        self.store = store
        self._others = range(1, size or 1)
        self._handed_out = False

    def hand_out(self, task: Task | int) -> None:
        """Give the other processes their task, or an exit code if there is nothing to train. Only the first call does.

        It is called in the first process.
        """
        if not self._handed_out:
            self._handed_out = True
            self.store.set(TASK, str(task) if isinstance(task, int) else task.to_text())
            if isinstance(task, int) and self._others:
                with suppress(RuntimeError):
                    self.store.wait([f"{HEARD}/{rank}" for rank in self._others], TIME_TO_HEAR)

    def task(self, rank: int | None) -> Task | int:
        """Wait for the first process, and return the task or the exit code that it hands out.

        Args:
            rank: number of this process, if it is known.

        Raises:
            RuntimeError: the first process has ended.
        """
        self.store.wait([TASK], TIME_TO_PREPARE)
        content = json.loads(self.store.get(TASK))
        self.store.set(f"{HEARD}/{rank}", "")
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
    """Return the meeting with the processes of a launcher, or a new one on this machine."""
    return _open[-1] if _open else Meeting(TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False))


def meet(launch: Launch) -> Meeting:
    """Connect with the store of the first process; in that process, create it and wait for the others.

    Raises:
        UserError: the processes do not meet in time.
    """
    is_owner = launch.is_first and not launch.has_store
    waits = launch.size is not None
    try:
        store = TCPStore(
            launch.address, launch.port, launch.size, is_owner, timeout=TIME_TO_MEET, wait_for_workers=waits
        )
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{launch.by}: the processes of this training do not meet at {launch.address}, port {launch.port}, which "
            f"MASTER_ADDR and MASTER_PORT can change: {reason}"
        ) from None
    return Meeting(store, launch.size)
