"""What lies in a folder or zip of images, without opening one. No torch: the command line counts classes with it."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from ganexp.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Listing:
    """Image names relative to `root` (a directory or a zip), sorted, with the class of each where there are classes."""

    root: Path
    names: list[str]
    labels: list[int] | None
    classes: list[str]


@lru_cache(maxsize=8)
def list_images(path: str, split: str = "train") -> Listing:
    """The images of `split` ("train" or "test") under `path`.

    Top folders `train` and `test` are the splits, if there are any; else every image is for training and the test split
    is empty. Below that a sub-folder is a class; a single sub-folder makes no class. Folders without images are passed
    over, and so is one folder wrapped around everything.

    Raises:
        UserError: nothing there, no zip, no image, or images both beside and inside sub-folders.
    """
    root = Path(path).expanduser()
    names = _image_names(root)
    prefix = _wrapper(names)
    if any(name.startswith(tuple(f"{prefix}{s}/" for s in SPLITS)) for name in names):
        prefix = f"{prefix}{split}/"
        names = [name for name in names if name.startswith(prefix)]
    elif split == "test":
        names = []
    if split == "train" and not names:
        raise UserError(f"data.path={path}: no image of the training split in it.")
    folders = [name[len(prefix) :].split("/")[:-1] for name in names]
    if any(folders) and not all(folders):
        stray = names[folders.index([])]
        raise UserError(
            f"data.path={path}: {stray} lies beside class folders.\nMove it into one, or keep all images in one folder."
        )
    classes = sorted({parts[0] for parts in folders if parts})
    if len(classes) < 2:
        return Listing(root, names, None, [])
    return Listing(root, names, [classes.index(parts[0]) for parts in folders], classes)


def count_classes(path: str | None) -> int:
    """The number of class folders under `path`; 0 if its images carry no classes."""
    if not path:
        raise UserError("Missing value: data.path=…  (a directory or zip of images)")
    return len(list_images(path).classes)


def _image_names(root: Path) -> list[str]:
    if root.is_dir():
        names = (p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    elif root.is_file():
        try:
            with ZipFile(root) as archive:
                names = archive.namelist()
        except BadZipFile:
            raise UserError(f"data.path={root} is neither a directory nor a zip of images.") from None
    else:
        raise UserError(
            f"data.path={root}: no such directory or zip.\nPut the images there, or give another data.path=…"
        )
    hidden = ("__MACOSX/", ".")
    found = sorted(n for n in names if n.lower().endswith(SUFFIXES) and not n.startswith(hidden) and "/." not in n)
    if not found:
        raise UserError(f"data.path={root}: no image in it (looked for {' '.join(SUFFIXES)}).")
    return found


def _wrapper(names: list[str]) -> str:
    """The folder, with its slash, that holds every other folder: `faces/` of faces/a/1.png, faces/b/2.png; else ``."""
    top = names[0].split("/")[0]
    wraps = all(name.startswith(f"{top}/") and name.count("/") > 1 for name in names)
    return f"{top}/" if wraps and top not in SPLITS else ""
