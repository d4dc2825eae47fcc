"""Find the image files of a directory or zip, and count all other files by extension.

This module must not import torch.
"""

import lzma
import os
import posixpath
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from ganexp.errors import UserError, did_you_mean

# errors of a zip that is damaged, encrypted or packed by an unknown method
ZIP_ERRORS = (BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)
FORMATS = {
    ".png": "PNG",
    ".apng": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".bmp": "BMP",
    ".dib": "BMP",
    ".gif": "GIF",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".pbm": "PPM",
    ".pnm": "PPM",
}  # suffix of a file -> Pillow's name of the usual format; the content of the file decides which decoder is run
INDEX_NAME = "dataset.json"  # the file with the labels of a StyleGAN archive
LONGEST_SUFFIX = 10  # characters; a longer text after a dot is part of the name


@dataclass
class Scan:
    """The files of a directory or zip.

    Attributes:
        images: Sorted paths of the image files, relative to the root, with slashes between folders.
        indexes: Content of each file dataset.json; the key is the file's path.
        passed_over: For each reason to skip files, such as their suffix, the number of skipped files.
        watched: Directories and files whose modification times show whether the listing is out of date.
    """

    images: list[str] = field(default_factory=list)
    indexes: dict[str, bytes] = field(default_factory=dict)
    passed_over: Counter[str] = field(default_factory=Counter)
    watched: list[Path] = field(default_factory=list)


def scan(root: Path) -> Scan:
    """Return the files below a directory, or in a zip.

    Links to directories are followed, except for links to a directory that contains the link.

    Raises:
        UserError: If `root` does not exist, cannot be read, has no images, or is a file other than a zip.
    """
    try:
        if not root.exists():
            meant = did_you_mean(root.name, _siblings(root), f"{root.parent}/")
            raise UserError(f"path={root}: no such directory or zip. {meant or 'Put the images there.'}")
        found = _scan_directory(root) if root.is_dir() else _scan_zip(root)
    except BadZipFile:
        raise UserError(f"path={root}: this file is not a zip. Give a directory or a zip of images.") from None
    except OSError as error:
        raise UserError(f"path={root}: {error.filename or root} cannot be read ({error.strerror or error}).") from None
    found.images.sort()
    if not found.images:
        raise UserError(_nothing_found(root, found.passed_over))
    return found


def _siblings(root: Path) -> list[str]:
    """Return the names of the directories and zips beside `root`; an empty list if they cannot be listed."""
    try:
        return [path.name for path in root.parent.iterdir() if path.is_dir() or path.suffix == ".zip"]
    except OSError:
        return []


def _scan_directory(root: Path) -> Scan:
    found = Scan()
    for path, problem in _walk(root, "", frozenset(), found.watched):
        if problem:
            found.passed_over[problem] += 1
        elif _add(found, path):
            found.indexes[path] = (root / path).read_bytes()
            found.watched.append(root / path)
    return found


def _walk(root: Path, below: str, above: frozenset[tuple[int, int]], watched: list[Path]) -> Iterator[tuple[str, str]]:
    """Yield each file's path, relative to `root`, and why the file cannot be read (empty if it can be read).

    Args:
        root: The top directory.
        below: The path of the directory to search, relative to `root`. It is empty, or ends with a slash.
        above: Device and inode number of each directory above `below`, to detect cycles of links.
        watched: List to which every searched directory is appended.
    """
    directory = root / below
    status = directory.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        yield below, "linked to a directory that contains the link"
        return
    watched.append(directory)
    with os.scandir(directory) as entries:
        by_name = sorted(entries, key=lambda entry: entry.name)
    for entry in by_name:
        path = f"{below}{entry.name}"
        if _is(entry, "dir"):
            yield from _walk(root, f"{path}/", above | {identity}, watched)
        elif _is(entry, "file"):
            yield path, ""
        elif entry.is_symlink():
            yield path, "linked to nothing"


def _is(entry: os.DirEntry, kind: str) -> bool:
    """Return whether an entry is a directory (if `kind` is dir) or a file (otherwise); a link counts as its target."""
    try:
        return entry.is_dir() if kind == "dir" else entry.is_file()
    except OSError:
        return False


def _scan_zip(root: Path) -> Scan:
    found = Scan(watched=[root])
    with ZipFile(root) as archive:
        for path, member in members(archive).items():
            if _add(found, path):
                try:
                    found.indexes[path] = archive.read(member)
                except (*ZIP_ERRORS, OSError) as error:
                    raise OSError(0, str(error), path) from None
    return found


def members(archive: ZipFile) -> dict[str, str]:
    """Return a dict from the path of each file in a zip to its name in the zip. The paths have forward slashes."""
    names: dict[str, str] = {}
    for name in archive.namelist():
        path = name.replace("\\", "/")
        if not path.endswith("/"):
            names[posixpath.normpath(path).lstrip("/")] = name
    return names


def _add(found: Scan, path: str) -> bool:
    """Add a file to the images or to the skipped files; return whether it is an index file that must be read."""
    suffix = posixpath.splitext(path)[1].lower()
    is_image = suffix in FORMATS
    if is_hidden(path):
        found.passed_over["hidden"] += is_image  # other hidden files are not counted
    elif is_image:
        found.images.append(path)
    elif posixpath.basename(path) == INDEX_NAME:
        return True
    else:
        found.passed_over[suffix if 1 < len(suffix) <= LONGEST_SUFFIX else "without a suffix"] += 1
    return False


def is_hidden(path: str) -> bool:
    """Return whether a path is in a macOS metadata folder, or contains a file or folder name that starts with a dot."""
    return any(part == "__MACOSX" or part.startswith(".") for part in path.split("/"))


def _nothing_found(root: Path, passed_over: Counter[str]) -> str:
    lines = [f"path={root}: there is no image in it (ganexp searched for {' '.join(FORMATS)})."]
    if any(passed_over.values()):
        lines.append(f"Passed over: {counts_as_text(passed_over)}.")
    if passed_over[".zip"] and root.is_dir():
        zips = sorted(path for path in root.rglob("*") if path.suffix.lower() == ".zip")
        lines.append(f"To read a zip, give its own path, such as {zips[0]}" if zips else "")
    return "\n".join(line for line in lines if line)


def counts_as_text(counts: Counter[str] | dict[str, int], longest: int = 8) -> str:
    """Return counts as one text, with the largest count first.

    Example:
        >>> counts_as_text({".avif": 2, ".txt": 1000})
        '1,000 .txt, 2 .avif'
    """
    largest_first = sorted(((count, name) for name, count in counts.items() if count), key=lambda x: (-x[0], x[1]))
    shown = [f"{count:,} {name}" for count, name in largest_first[:longest]]
    if rest := sum(count for count, _ in largest_first[longest:]):
        shown.append(f"{rest:,} others")
    return ", ".join(shown)
