"""Print progress bars, tables and short paths, in the process of rank 0 only. Must not import torch."""

import io
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def is_rank_zero() -> bool:
    """Return whether this process is the first of those that train together, or the only one."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def progress(items: Iterable[T], description: str, total: float | None = None) -> Iterator[T]:
    """Yield `items` under a progress bar, which is shown on a terminal only and removed at the end."""
    hidden = not (sys.stdout.isatty() and is_rank_zero())
    yield from track(items, description, total=total, transient=True, disable=hidden)


def say(*values: object) -> None:
    """Print a line at once, in the process of rank 0."""
    if is_rank_zero():
        print(*values, flush=True)


def allow_any_encoding() -> None:
    """Replace characters that the terminal's encoding lacks when they are printed, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def make_console() -> Console:
    """Return a console for tables and live lines; it prints in the process of rank 0 only."""
    return Console(quiet=not is_rank_zero())


def short_path(path: str | Path) -> str:
    """Return `path` relative to the working directory if it lies below it, and otherwise as it is."""
    path = Path(path)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
