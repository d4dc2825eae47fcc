"""Forbid downloads within a block of code, for commands that must not use the network."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ganexp.errors import UserError

_allowed = ContextVar("allowed", default=True)


class NotHere(UserError):
    """Raised when a missing file would have to be downloaded and downloads are forbidden."""


@contextmanager
def offline() -> Iterator[None]:
    """Forbid downloads within the block; a missing file raises NotHere."""
    token = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(token)


def check(what: str) -> None:
    """Raise NotHere if downloads are forbidden. Call this before `what` is downloaded."""
    if not _allowed.get():
        raise NotHere(f"{what} is not on this machine.")
