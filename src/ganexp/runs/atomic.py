"""Write files whole: a reader, or a crash at any moment, meets the old content or the new one, never a part of it.

Must not import torch.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move what was written there to `path` when the block ends.

    The temporary name is unique to each call, so several processes may write the same file: the last one wins. It
    starts with a dot and keeps the suffix of `path`, by which many libraries choose the format. The data is flushed to
    the disk before the move. If the block raises, `path` stays as it was and the temporary file is removed.

    Args:
        path: the file to write; its directory must exist.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, replacing what was there in one move."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
