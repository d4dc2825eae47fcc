"""Read the members of a zip file through one open handle."""

import os
from pathlib import Path
from threading import Lock
from zipfile import ZipFile

from ganexp.data.scan import ZIP_ERRORS, members

MAX_IMAGE_BYTES = 1 << 29  # largest size of one file; a larger file would fill the memory

_lock = Lock()  # held during every read, and while this process forks, so that no child inherits a read in progress
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def refuse_huge(size: int) -> None:
    """Check the size in bytes of an image file before it is read.

    Raises:
        OSError: The size is larger than `MAX_IMAGE_BYTES`.
    """
    if size > MAX_IMAGE_BYTES:
        raise OSError(f"it has {size:,} bytes, and an image may have at most {MAX_IMAGE_BYTES:,}")


class ZipReader:
    """Read members of a zip. The zip stays open after the first read, because opening it reads the list of all members.

    Threads may share a reader. Each process opens its own handle, because a handle that a forked process inherits
    shares its file position with the handle of the parent. An unpickled reader opens the zip again.

    Args:
        path: The zip file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive: ZipFile | None = None
        self._members: dict[str, str] = {}  # name in the listing -> name in the zip
        self._process: int | None = None  # id of the process that opened `_archive`

    def read(self, name: str) -> bytes:
        """Return the content of the member `name`.

        Args:
            name: The path of the member in the zip, with slashes between folders, as in a listing.

        Raises:
            OSError: If the zip or this member cannot be read, or the member is larger than `MAX_IMAGE_BYTES`.
        """
        with _lock:
            try:
                archive = self._open()
                refuse_huge(archive.getinfo(self._members[name]).file_size)
                return archive.read(self._members[name])
            except (*ZIP_ERRORS, KeyError) as error:
                raise OSError(f"it cannot be read from the zip ({error})") from error

    def _open(self) -> ZipFile:
        if self._archive is None or self._process != os.getpid():
            self._archive, self._process = ZipFile(self.path), os.getpid()
            self._members = members(self._archive)
        return self._archive

    def __reduce__(self) -> tuple[type["ZipReader"], tuple[Path]]:
        return ZipReader, (self.path,)
