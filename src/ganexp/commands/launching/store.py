"""Create, or connect with, the store of torch.distributed at which the processes of a training meet."""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Thread

from torch.distributed import TCPStore

from ganexp.commands.launching.launched import Launch
from ganexp.errors import UserError, first_line

SECONDS_TO_MEET = 600.0
SECONDS_TO_CONNECT = 10.0  # time limit for connecting with a store
# After this many seconds, a process that waits prints what it waits for; it prints this again after 3 times, 9 times,
# 27 times, … as many seconds.
SECONDS_OF_SILENCE = 10.0
POLL = 0.1  # seconds between two tries


def private_store() -> TCPStore:
    """Return a new store that only the processes of this machine can reach."""
    return _serve(socket.create_server(("127.0.0.1", 0)))


def store_of(launch: Launch) -> TCPStore:
    """Return the store of a launch: connect with it, or create it in the first process if the launcher has none.

    Raises:
        UserError: the store cannot be created, or cannot be reached in time.
    """
    if launch.is_first and not launch.has_store:
        is_dual = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if is_dual else socket.AF_INET
        try:
            store = _serve(socket.create_server(("", launch.port), family=family, dualstack_ipv6=is_dual))
        except OSError as error:
            raise UserError(_not_met(launch, error)) from None
    else:
        store = _connect(launch)
    store.set_timeout(timedelta(seconds=SECONDS_TO_MEET))
    return store


def _serve(listening: socket.socket) -> TCPStore:
    """Return a new store that other processes reach through the socket `listening`."""
    port = listening.getsockname()[1]
    return TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False, master_listen_fd=listening.detach())


def _connect(launch: Launch) -> TCPStore:
    """Wait until the store of another process answers, and connect with it.

    Raises:
        UserError: the store does not answer in time.
    """
    place = (launch.address, launch.port)
    failure: dict[str, Exception] = {}
    for _ in tries(lambda: f"{launch.by}: waiting for the first process at {shown(place)} ({failure['last']})"):
        try:
            socket.create_connection(place, SECONDS_TO_CONNECT).close()
            return _store_at(place)
        except (OSError, RuntimeError) as error:
            failure["last"] = error
    raise UserError(_not_met(launch, failure["last"]))


def _store_at(place: tuple[str, int]) -> TCPStore:
    """Connect with the store at `place`.

    The connection is made in another thread, because torch waits for ever if the program at `place` is not a store.

    Raises:
        OSError: no store answers in time.
        RuntimeError: torch cannot connect with a store.
    """
    made: SimpleQueue[TCPStore | RuntimeError] = SimpleQueue()

    def connect() -> None:
        try:
            made.put(TCPStore(*place, wait_for_workers=False, timeout=timedelta(seconds=SECONDS_TO_CONNECT)))
        except RuntimeError as error:
            made.put(error)

    Thread(target=connect, daemon=True).start()
    try:
        store = made.get(timeout=SECONDS_TO_CONNECT + 1)
    except Empty:
        raise OSError("another program answers at this address, or no program does") from None
    if isinstance(store, RuntimeError):
        raise store
    return store


def tries(describe: Callable[[], str]) -> Iterator[None]:
    """Yield every `POLL` seconds for at most `SECONDS_TO_MEET`, and sometimes print what this process waits for."""
    begin, silence = time.monotonic(), SECONDS_OF_SILENCE
    while (waited := time.monotonic() - begin) < SECONDS_TO_MEET:
        yield
        if waited > silence:
            print(describe(), file=sys.stderr, flush=True)
            silence *= 3
        time.sleep(POLL)


def shown(place: tuple[str, int]) -> str:
    """Return an address and port as ADDRESS:PORT."""
    return f"{place[0]}:{place[1]}"


def _not_met(launch: Launch, error: Exception) -> str:
    return (
        f"{launch.by}: the processes of this training do not meet at {launch.address}, port {launch.port} "
        f"({first_line(error)}). MASTER_ADDR and MASTER_PORT can change this address and port"
    )
