"""Load a dataset of torchvision, and download it if its files are missing."""

import logging
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError

from ganexp import offline
from ganexp.errors import UserError, first_line

log = logging.getLogger(__name__)


def fetch(load: Callable[..., Any], root: str, files: list[str], url: str) -> Any:
    """Return `load(download=False)`, or `load(download=True)` if the files are missing.

    Args:
        load: A function that loads the dataset with torchvision; its only argument is `download`.
        root: The directory of the dataset.
        files: The files that `load` reads, relative to `root`, for the error message.
        url: The address of the files, for the error message.

    Raises:
        UserError: If the files are damaged, or if they are missing and cannot be downloaded. The message names the
            files, the directory and the address.
        NotHere: If the files are missing and downloads are forbidden.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return load(download=False)
        except FileNotFoundError:
            pass
        except (RuntimeError, ValueError, AssertionError, EOFError) as error:
            if "not found" not in str(error):
                raise _damaged(error, root, files) from None
        offline.check(url)
        existing = _nearest_existing(Path(root))
        Path(root).mkdir(parents=True, exist_ok=True)
        log.info("the dataset is not under %s: downloading it from %s", root, url)
        try:
            return load(download=True)
        except (URLError, RuntimeError, OSError) as error:
            _remove_empty(Path(root), existing)
            raise _unavailable(error, root, files, url) from None


def _nearest_existing(path: Path) -> Path:
    """Return `path` if it exists, otherwise the nearest of its parent directories that exists."""
    return next(parent for parent in (path, *path.parents) if parent.exists())


def _remove_empty(root: Path, existing: Path) -> None:
    """Remove the empty directories in `root`, and also `root` and its parents below `existing` if they are empty."""
    inner = sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True)
    outer = [path for path in (root, *root.parents) if path != existing and path.is_relative_to(existing)]
    for directory in [*inner, *outer]:
        with suppress(OSError):  # raised if the directory is not empty
            directory.rmdir()


def _damaged(error: Exception, root: str, files: list[str]) -> UserError:
    return UserError(
        f"The dataset under {root} is damaged ({error}).\nDelete {', '.join(files)} there to download it again."
    )


def _unavailable(error: Exception, root: str, files: list[str], url: str) -> UserError:
    # if no file is missing, at least one of them is damaged; the message then names all of them
    missing = [name for name in files if not (Path(root) / name).exists()] or files
    paths = "\n".join(f"  {Path(root) / name}" for name in missing)
    unpacked = ", packed in an archive," if url.endswith(".tar.gz") and not files[0].endswith(".tar.gz") else ""
    reason = first_line(getattr(error, "reason", error))
    return UserError(
        f"The dataset is not on this machine, and downloading it failed ({reason}).\n"
        f"Put these files in place:\n{paths}\n"
        f"They come{unpacked} from {url}.\n"
        f"If you have them in another directory, set data.root=DIRECTORY (now {root})."
    )
