"""Connect the processes of a run: the first one (rank 0) hands out the config, and learns why another process fails."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import current_thread, main_thread

from omegaconf import DictConfig, OmegaConf
from torch.distributed import PrefixStore, Store

from ganexp.commands.launching.launched import Launch
from ganexp.commands.launching.store import POLL, SECONDS_TO_MEET, private_store, shown, store_of, tries
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory

SECONDS_TO_HEAR = 10.0  # time for the other processes to read an exit code before the store ends
# Keys whose values stay when a launcher starts all processes again
BEGUN, STARTS, ARRIVED = "begun", "starts", "arrived"
# Keys that have new values after each start of all processes
RUN, PRESENT, COMPLETE, HEARD, FAILURE = "run", "present", "complete", "heard", "failure"


@dataclass(frozen=True)
class SharedRun:
    """The run that the first process hands out: its resolved config, and the absolute path of its directory."""

    cfg: DictConfig
    path: str

    def to_text(self) -> str:
        """Return the run as JSON, because JSON can be read without running code."""
        return json.dumps({"config": OmegaConf.to_yaml(self.cfg), "path": self.path})


class Meeting:
    """Exchange a few values between processes, before they are connected or after a connection has broken.

    A launcher may start all processes again and keep the store. Therefore the keys of each start have a prefix, which
    is the number of the start. Every process except the first takes a number when it arrives, and the first
    process answers with the number of the current start.

    Args:
        store: the store of torch.distributed, which all processes can reach.
        place: the address and port of the store.
        size: number of the processes; None if it is not known.
        name: what distinguishes this training from others that meet at the same place.
        is_first: whether this is the first process (rank 0).
    """

    def __init__(
        self, store: Store, place: tuple[str, int], size: int | None = None, name: str = "", is_first: bool = True
    ) -> None:
        self.place, self.size = place, size
        self._all_starts = PrefixStore(f"ganexp/{name}", store)
        self._start = str(self._all_starts.add(STARTS, 1)) if is_first else ""
        self.store = PrefixStore(self._start, self._all_starts)
        self._answered = 0
        self._handed_out = False

    def _answer(self) -> None:
        """Send the number of this start to each process that has arrived.

        Processes of earlier starts get this number as well, which has no effect, because these processes have ended.
        """
        for number in range(self._answered + 1, self._all_starts.add(ARRIVED, 0) + 1):
            self._all_starts.set(f"{ARRIVED} {number}", self._start)
            self._answered = number

    def _arrive(self) -> None:
        """Announce this process, and wait until the first process has sent the number of this start."""
        answer = f"{ARRIVED} {self._all_starts.add(ARRIVED, 1)}"
        _wait_for(self._all_starts, answer)
        self.store = PrefixStore(self._all_starts.get(answer).decode(), self._all_starts)
        self.store.add(PRESENT, 1)

    def wait_for_others(self, size: int, check: Callable[[], None] = lambda: None) -> None:
        """Wait in the first process until all others have arrived. Ctrl-C or SIGTERM ends this wait at once.

        Args:
            size: number of all processes.
            check: a function that is called again and again, and may raise an error.

        Raises:
            UserError: the others do not arrive in time.
            SystemExit: SIGTERM has ended the wait.
        """

        def missing() -> str:
            self._answer()
            count = size - 1 - self.store.add(PRESENT, 0)
            return f"{count} of {size} processes" if count > 0 else ""

        with _ended_by_sigterm() if current_thread() is main_thread() else nullcontext():
            for _ in tries(lambda: f"waiting at {shown(self.place)} for {missing()}"):
                check()
                if not missing():
                    self.store.set(COMPLETE, "")
                    return
        raise UserError(
            f"{missing() or 'The last process'} did not come to {shown(self.place)} within "
            f"{SECONDS_TO_MEET / 60:.0f} minutes. See the output of the processes that are missing"
        )

    def wait_until_complete(self, check: Callable[[], None]) -> None:
        """In any process but the first, wait until the first process knows that all processes have arrived.

        Args:
            check: a function that is called again and again, and may raise an error.
        """
        _wait_for(self.store, COMPLETE, check)

    def begun_run(self) -> Path | None:
        """Return the directory of the run that was begun before the launcher's restart; None if no run was begun."""
        path = Path(self._all_starts.get(BEGUN).decode()) if self._all_starts.check([BEGUN]) else None
        return path if path is not None and RunDirectory(path).metadata_file.exists() else None

    def begin(self, path: str) -> None:
        """Remember the directory of the run, for a later start of the processes."""
        self._all_starts.set(BEGUN, path)

    def hand_out(self, run: SharedRun | int) -> None:
        """Give the other processes the run, or an exit code if there is nothing to train. Further calls do nothing.

        The first process calls this method. After handing out an exit code, this process waits until the other
        processes have read the code, but at most `SECONDS_TO_HEAR`, because the store may end with this process.
        """
        if self._handed_out:
            return
        self._handed_out = True
        if isinstance(run, SharedRun):
            self.begin(run.path)
        self.store.set(RUN, str(run) if isinstance(run, int) else run.to_text())
        deadline = time.monotonic() + SECONDS_TO_HEAR
        while isinstance(run, int) and self.store.add(HEARD, 0) < self._others() and time.monotonic() < deadline:
            self._answer()
            time.sleep(POLL)

    def _others(self) -> int:
        """Return how many other processes there are or, if this is not known, how many have arrived."""
        return self._all_starts.add(ARRIVED, 0) if self.size is None else self.size - 1

    def run(self) -> SharedRun | int:
        """Wait until the first process hands out a run or an exit code, and return what it has handed out.

        Raises:
            RuntimeError: the first process has ended.
        """
        self._arrive()
        _wait_for(self.store, RUN)
        content = json.loads(self.store.get(RUN))
        self.store.add(HEARD, 1)
        if isinstance(content, int):
            return content
        return SharedRun(DictConfig(OmegaConf.create(content["config"])), content["path"])

    def report(self, failure: str) -> None:
        """Tell the first process, if it is still running, why this process has failed."""
        with suppress(RuntimeError):
            self.store.set(FAILURE, failure)
            self.store.get(FAILURE)  # `set` does not wait until the store has the value

    def failure(self) -> str | None:
        """Return why another process has failed; None if no process has reported a failure."""
        with suppress(RuntimeError):
            if self.store.check([FAILURE]):
                return self.store.get(FAILURE).decode()
        return None


def _wait_for(store: Store, key: str, check: Callable[[], None] = lambda: None) -> None:
    """Wait until a store has a key, or a signal ends this process.

    There is no time limit, because the first process may prepare a dataset for hours.
    """
    while not store.check([key]):
        check()
        time.sleep(POLL)


_open: list[Meeting] = []  # has the meeting of a launcher's processes while the first process runs a command


@contextmanager
def opened(launch: Launch) -> Iterator[Meeting]:
    """Let the other processes wait for a run during the block. If no run is handed out, they end after the block.

    Raises:
        UserError: the processes do not meet in time.
    """
    meeting = meet(launch)
    if meeting.size is not None:
        meeting.wait_for_others(meeting.size)
    _open.append(meeting)
    try:
        yield meeting
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
    store = private_store()
    return Meeting(store, ("127.0.0.1", store.port))


def remember_begun(path: Path) -> None:
    """Remember the run directory of a training with one process, in case a launcher starts this process again."""
    if _open:
        _open[-1].begin(str(path.absolute()))


def meet(launch: Launch) -> Meeting:
    """Return the meeting with the other processes of a launch.

    Raises:
        UserError: the store cannot be created, or cannot be reached in time.
    """
    return Meeting(store_of(launch), (launch.address, launch.port), launch.size, launch.name, launch.is_first)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Raise SystemExit at SIGTERM, so that the run is recorded as interrupted."""

    def end(number: int, frame: object) -> None:
        print("Stopped by SIGTERM while waiting for other processes.", file=sys.stderr)
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
