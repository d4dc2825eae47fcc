"""List the images of a directory or zip without opening one. Must not import torch: the config counts classes here."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from ganexp.errors import UserError

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
    ".pgm": "PPM",
}  # suffix of a file -> name of the format in Pillow
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Listing:
    """The image files of one split.

    Attributes:
        root: A directory or a zip file.
        names: Paths relative to `root`, sorted.
        labels: The class of each image, or None if there are no classes.
        classes: The name of each class.
    """

    root: Path
    names: list[str]
    labels: list[int] | None
    classes: list[str]


@lru_cache(maxsize=8)
def list_images(path: str, split: str = "train") -> Listing:
    """Return the images of one split of a directory or zip.

    If there are top folders named `train` or `test`, these are the splits. Otherwise every image belongs to the
    training split. Below that, each sub-folder is a class; a single sub-folder makes no classes. Folders without images
    are ignored, and so is a single folder that contains all the others.

    Args:
        path: A directory or a zip file.
        split: `train` or `test`. The test split may be empty.

    Raises:
        UserError: If `path` does not exist, is a file other than a zip, has no image of the training split, or has
            images both beside and inside of sub-folders.
    """
    root = Path(path).expanduser()
    names = _image_names(root)
    prefix = _common_folder(names)
    if any(name.startswith(tuple(f"{prefix}{s}/" for s in SPLITS)) for name in names):
        prefix = f"{prefix}{split}/"
        names = [name for name in names if name.startswith(prefix)]
    elif split == "test":
        names = []
    if split == "train" and not names:
        raise UserError(f"path={path}: it has a folder `test` with images, but no image in a folder `train`.")
    folders = [name[len(prefix) :].split("/")[:-1] for name in names]
    if any(folders) and not all(folders):
        stray = names[folders.index([])]
        raise UserError(
            f"path={path}: {stray} lies beside folders of classes.\n"
            "Move it into one of them, or put all images into one folder."
        )
    classes = sorted({parts[0] for parts in folders if parts})
    if len(classes) < 2:
        return Listing(root, names, None, [])
    return Listing(root, names, [classes.index(parts[0]) for parts in folders], classes)


def count_classes(path: str | None) -> int:
    """Return the number of classes under data.path, 0 if its images have none; `${count_classes:…}` in a config.

    Raises:
        UserError: If the path is missing or `list_images` refuses it.
    """
    if not path:
        raise UserError("Missing value: data.path=…  (a directory or zip of images)")
    try:
        return len(list_images(path).classes)
    except UserError as error:
        raise UserError(f"data.{error}") from None  # the message starts with path=…


def _image_names(root: Path) -> list[str]:
    """Return the sorted paths, relative to `root`, of all image files that are not hidden."""
    if root.is_dir():
        paths = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    elif root.is_file():
        try:
            with ZipFile(root) as archive:
                paths = archive.namelist()
        except BadZipFile:
            raise UserError(f"path={root}: this file is not a zip. Give a directory or a zip of images.") from None
    else:
        raise UserError(f"path={root}: no such directory or zip. Put the images there, or give another path.")
    names = sorted(path for path in paths if path.lower().endswith(tuple(FORMATS)) and not _is_hidden(path))
    if not names:
        raise UserError(f"path={root}: no image in it (searched for {' '.join(FORMATS)}).")
    return names


def _is_hidden(path: str) -> bool:
    """Return whether a path lies in a folder of macOS's metadata, or has a part whose name starts with a dot."""
    return path.startswith(("__MACOSX/", ".")) or "/." in path


def _common_folder(names: list[str]) -> str:
    """Return the folder, with its slash, that contains every other folder, or an empty string if there is none.

    Example:
        >>> _common_folder(["faces/a/1.png", "faces/b/2.png"])
        'faces/'
    """
    top = names[0].split("/")[0]
    contains_all = all(name.startswith(f"{top}/") and name.count("/") > 1 for name in names)
    return f"{top}/" if contains_all and top not in SPLITS else ""
