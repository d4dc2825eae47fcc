"""Whether files that are not on this machine may be fetched from the network."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ganexp.errors import UserError

_allowed = ContextVar("allowed", default=True)


class NotHere(UserError):
    """A file that would have to be fetched, where that is not allowed."""


@contextmanager
def offline() -> Iterator[None]:
    """Nothing is fetched within: what is missing raises NotHere."""
    token = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(token)


def check(what: str) -> None:
    """Called before `what` is fetched."""
    if not _allowed.get():
        raise NotHere(f"{what} is not on this machine.")
