"""Explain operating system errors: name the path and the setting that changes it. This module must not import torch."""

import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # EFBIG: the file is larger than a limit allows
ACCESS = {errno.EACCES, errno.EPERM, errno.EROFS}
PATHS = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}
MAX_SHOWN = 200  # characters of a path


def explain_place(error: OSError, places: Mapping[str, str]) -> str:
    """Return an error's reason and what the user can do; empty if the error is not about space, access or a path.

    Args:
        error: the error from the operating system.
        places: for the path of each directory or file of a command, the setting that changes this path.
    """
    if error.errno in FULL and error.filename is None:
        listed = "".join(f"\n  {path}: {setting}" for path, setting in places.items())
        return f"{error.strerror}. Free some space, or choose another path:{listed}"
    if error.errno not in FULL | ACCESS | PATHS or not isinstance(error.filename, (str, Path)):
        return ""
    path = os.path.abspath(error.filename)
    shown = path if len(path) <= MAX_SHOWN else f"{path[:MAX_SHOWN]}…"
    settings = _settings_of(path, places)
    reason = f"{shown}: {error.strerror}."
    if error.errno in FULL:
        reason += " Free some space, or choose another path:" if settings else " Free some space."
        return "\n".join([reason, *(f"  {setting}" for setting in settings)])
    return "\n".join([reason, *(f"Choose another path: {setting}" for setting in settings)])


def check_writable(path: str | Path) -> None:
    """Check that files can be written to a directory. The directory may be missing, and is not created.

    Raises:
        OSError: files cannot be written. The filename of the error is `path`.
    """
    path = Path(path).absolute()
    try:
        existing = next(parent for parent in (path, *path.parents) if parent.exists())
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _settings_of(path: str, places: Mapping[str, str]) -> list[str]:
    """Return the settings that change `path`.

    If `places` has `path` or parents of it, only the setting of the nearest one is returned. Otherwise, the settings of
    all paths in `places` that are inside `path` are returned.
    """
    above = [place for place in places if _is_within(path, place)]
    if above:
        return [places[max(above, key=len)]]
    return list(dict.fromkeys(setting for place, setting in places.items() if _is_within(place, path)))


def _is_within(path: str, directory: str) -> bool:
    return Path(path).is_relative_to(directory)
