"""Print progress bars and tables, only in the process of rank 0, and format paths and counts.

This module must not import torch.
"""

import io
import json
import os
import re
import shlex
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import track
from rich.table import Table

T = TypeVar("T")
SaidLines = tuple[Path | None, tuple[int, int] | None]  # the file of printed lines, and the id of the output

UNLIMITED = 100_000  # characters in a line, if the output is a file or pipe
LOG_WIDTH = 200  # characters in a line of a table in the log of a run
LINE_EVERY = 20  # seconds between two lines of progress, if the output is not a terminal
CLOSED_OUTPUT = 141  # the exit code if the reader of the output has closed the pipe: 128 + SIGPIPE, as in shells

_said: ContextVar[Path | None] = ContextVar("said", default=None)  # the file that lists the lines already printed
_prefix: ContextVar[str] = ContextVar("prefix", default="")  # text before each printed line


class RunLog:
    """A log of all printed lines with their times in UTC. The lines are kept in memory until `path` is set.

    If the file at `path` cannot be written, nothing is raised, so that the message about a full disk is still printed.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self.kept: deque[str] = deque(maxlen=1000)  # lines that are not in the file yet

    def write(self, text: str) -> None:
        """Log the lines of a text, with the current time before each line."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.kept.extend(f"{now} {line}".rstrip() + "\n" for line in text.splitlines())
        if self.path is not None:
            # file names need not be UTF-8
            with suppress(OSError), open(self.path, "a", encoding="utf-8", errors="backslashreplace") as file:
                file.writelines(self.kept)
            self.kept.clear()


LOG = RunLog()


@contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """Log to a file what is printed within the block, what was printed before, and an error that ends the block."""
    LOG.path = path
    try:
        yield
    except Exception as error:
        LOG.write(f"{type(error).__name__}: {error}")
        raise
    finally:
        LOG.path = None
        LOG.kept.clear()


def is_rank_zero() -> bool:
    """Return whether this process is the only one, or has rank 0 among the processes that train together."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def is_terminal() -> bool:
    """Return whether the standard output is a terminal, not a file or pipe."""
    return sys.stdout.isatty()


def progress(items: Iterable[T], description: str, total: float | None = None) -> Iterator[T]:
    """Yield `items` with a progress bar, which is removed at the end. Without a terminal, print lines instead."""
    if is_terminal() and is_rank_zero():
        yield from track(items, escape(description), total=total, transient=True)
    else:
        yield from _with_lines(items, description, len(items) if isinstance(items, Sized) else total)


def _with_lines(items: Iterable[T], description: str, total: float | None) -> Iterator[T]:
    """Yield `items`, and print every LINE_EVERY seconds how many are done and how long the rest will take."""
    start = printed = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - printed >= LINE_EVERY and done:
            printed = now
            rest = "" if total is None else f" of {total:,}, {clock_time((now - start) / done * (total - done))} left"
            say(f"{description}: {done:,}{rest}")
        yield item


def clock_time(seconds: float) -> str:
    """Return `seconds` as text, such as 1:02:03 or 2:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def say(*values: object) -> None:
    """Print a line and flush it, but only in the process of rank 0.

    Raises:
        SystemExit: the reader of the output has closed the pipe, as `head` does. No `except Exception` catches this
            error, so the work does not continue.
    """
    try:
        if is_rank_zero():
            text = " ".join(map(str, values))
            LOG.write(text)
            print(f"{_prefix.get()}{text}", flush=True)
    except BrokenPipeError:
        raise SystemExit(CLOSED_OUTPUT) from None


@contextmanager
def saying_once() -> Iterator[None]:
    """Let `say_once` print each line only once within the block, for example for all jobs of a sweep."""
    with tempfile.TemporaryDirectory(prefix="ganexp-") as directory:
        token = _said.set(Path(directory) / "said")
        try:
            yield
        finally:
            _said.reset(token)


def said_lines() -> SaidLines:
    """Return what `join_saying_once` needs in another process to join the current block of `saying_once`."""
    return _said.get(), _output()


def join_saying_once(lines: SaidLines, prefix: str) -> None:
    """Let `say_once` skip lines that it printed in another process, if both processes have the same output.

    Args:
        lines: the result of `said_lines` in the other process.
        prefix: text before each line that `say` prints in this process, to tell the processes apart.
    """
    file, output = lines
    if output is not None and output == _output():
        _said.set(file)
        _prefix.set(prefix)


def _output() -> tuple[int, int] | None:
    """Return what identifies the terminal, file or pipe of the standard output; None if the output is closed."""
    try:
        status = os.fstat(1)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def say_once(line: str) -> None:
    """Print a line, unless it was printed before in this block of `saying_once`; write it to the log in any case."""
    file = _said.get()
    if file is None:
        say(line)
    elif not _is_first(file, line):
        LOG.write(line)
    else:
        token = _prefix.set("")  # the line is about all jobs, so it has no prefix
        say(line)
        _prefix.reset(token)


def _is_first(file: Path, line: str) -> bool:
    """Add `line` to the file of printed lines, and return whether the file did not have this line before."""
    entry = f"{json.dumps(line)}\n"
    with suppress(OSError), FileLock(f"{file}.lock"), open(file, "a+", encoding="utf-8") as printed:
        printed.seek(0)
        if entry in printed:
            return False
        printed.write(entry)
    return True


def allow_any_encoding() -> None:
    """Let Python print a replacement for characters that the output's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def flush_output() -> bool:
    """Flush the output, and return whether its reader is still there.

    If the reader has closed the pipe, this also prevents a warning when Python flushes the output at exit.
    """
    is_read = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            is_read = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return is_read


class TableConsole(Console):
    """A console that never truncates the cells of a table: it prints a table that is too wide as a list of its rows."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print the objects as rich does, but each table that is too wide as a list; also log tables and strings."""
        super().print(*(self._fit(item) if isinstance(item, Table) else item for item in objects), **options)
        if not self.quiet and any(isinstance(item, Table | str) for item in objects):  # progress bars are not logged
            text = io.StringIO()
            Console(file=text, width=LOG_WIDTH, markup=False, emoji=False).print(*objects, **options)
            LOG.write(text.getvalue())

    def on_broken_pipe(self) -> None:
        """End the process if the reader of the output has closed the pipe."""
        raise SystemExit(CLOSED_OUTPUT)

    def _fit(self, table: Table) -> Table:
        needed = Measurement.get(self, self.options.update(width=UNLIMITED), table).maximum
        return table if needed <= self.width else as_list(table)


def as_list(table: Table) -> Table:
    """Return `table` as a list, row by row: a line for each cell, with the heading of its column before the cell."""
    cells = [list(column.cells) for column in table.columns]
    stacked = Table.grid(padding=(0, 2))
    stacked.add_column(no_wrap=True)
    stacked.add_column(overflow="fold")
    for number, row in enumerate(table.rows):
        if number:
            stacked.add_row()
        for column, values in zip(table.columns, cells, strict=True):
            stacked.add_row(column.header, values[number], style=row.style)
    return stacked


def make_console() -> Console:
    """Return a console for tables and live lines, which prints only in the process of rank 0.

    If the output is a file or pipe, the length of the lines is not limited, so that no number is cut off. Texts are
    printed as they are, because brackets in an override or a path are not rich's markup.
    """
    width = None if is_terminal() else UNLIMITED
    return TableConsole(quiet=not is_rank_zero(), width=width, markup=False, emoji=False)


def short_path(path: str | Path) -> str:
    """Return `path` relative to the working directory if it is inside that directory, and otherwise unchanged."""
    path = Path(path)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def shell_path(path: str | Path) -> str:
    """Return the short path, quoted if a shell needs it. Use it in every command that a user may copy."""
    return shlex.quote(short_path(path))


def short_paths(text: str, given: Iterable[str] = ()) -> str:
    """Return a message with short paths: relative to the working directory, or else as the user typed them.

    Args:
        text: the message, with absolute paths.
        given: the values on the command line. A value that begins with `..` or `~` replaces the absolute path that it
            stands for.
    """
    shown = {re.escape(os.getcwd() + os.sep): ""} if os.getcwd() != os.sep else {}
    for value in given:
        if value.startswith(("..", "~")):
            shown[re.escape(os.path.abspath(os.path.expanduser(value))) + r"(?![\w-])"] = value
    for absolute, path in shown.items():
        # A path after the name of an environment variable, as in NAME=/path, stays absolute.
        text = re.sub(rf"(?<![\w./~-])(?<![A-Z]=){absolute}", path.replace("\\", r"\\"), text)
    return text


def count(number: float, noun: str) -> str:
    """Return a number with a noun; the noun is in the plural unless the number is 1.

    Example:
        >>> count(1, "step"), count(3000, "step"), count(2, "class"), count(2.5, "epoch")
        ('1 step', '3,000 steps', '2 classes', '2.5 epochs')
        >>> count(11363.6, "epoch")
        '11,364 epochs'
    """
    text = f"{number:,}" if isinstance(number, int) else f"{number:,.0f}" if number >= 1000 else f"{number:.4g}"
    ending = "es" if noun.endswith(("s", "tch")) else "s"
    return f"{text} {noun}{'' if text == '1' else ending}"
