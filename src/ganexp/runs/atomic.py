"""Write files atomically: at any time, a file has either its whole old content or its whole new content.

This also holds after a crash, and for other processes that read the file. This module must not import torch.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the directory of `path`, and move the temporary file to `path` when the block ends.

    The temporary name is unique to each call, so several processes may write the same file; the last write wins. The
    name starts with a dot and keeps the suffix of `path`, because many libraries choose the format by the suffix. The
    data is flushed to the disk before the move. If the block raises, `path` does not change, and the temporary file is
    removed.

    Args:
        path: the file to write; its directory must exist.

    Raises:
        OSError: the file cannot be written. The filename of the error is `path`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, path)
    except OSError as error:
        # The error has no filename if the disk is full, for example.
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None  # the user knows only this name
    finally:
        temporary.unlink(missing_ok=True)


def unfinished(path: Path) -> Iterator[Path]:
    """Yield the temporary files of processes that were killed while they replaced `path`.

    The name of `path` may be a pattern, such as `*.ckpt`. The file of a process that is still at work is yielded, too.
    """
    found = path.parent.glob(f".{path.stem}-{'[0-9a-f]' * 32}{path.suffix}")
    yield from (file for file in found if file.is_file() and not file.is_symlink())


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, and atomically replace an existing file."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
