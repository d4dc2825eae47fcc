"""List the images of a directory or zip by split and class, without opening the images.

This module must not import torch, because `ganexp.config.schema`, which imports this module, must not import torch.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ganexp.data.layout import OUTSIDE, Place, check_names, places, sort_names, without_case
from ganexp.data.layout_warnings import class_warnings
from ganexp.data.scan import Scan, scan
from ganexp.data.style_gan_index import Index, read_indexes
from ganexp.errors import UserError

NOT_INDEXED = "not in dataset.json"
_SETTLED_SECONDS = 2  # two changes within this time may have the same modification time


@dataclass(frozen=True)
class Listing:
    """The image files of one split.

    Attributes:
        root: A directory or a zip file.
        names: Paths relative to `root`, sorted.
        labels: The index of each image's class, or None if there are no classes.
        classes: The name of each class.
        passed_over: For each reason, the number of files that were skipped; only the training split has these numbers.
        warnings: Warnings about probable mistakes in the layout. Each warning says how to correct the mistake.
    """

    root: Path
    names: list[str]
    labels: list[int] | None
    classes: list[str]
    passed_over: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass
class _Layout:
    """All images of a directory or zip: for each split, the path and the class (or None) of each image."""

    images: dict[str, list[tuple[str, str | None]]]
    passed_over: Counter[str]
    warnings: list[str]
    from_folders: bool


# A cache: absolute path -> paths, modification times and sizes of the directories and files in it, and the layout.
_layouts: dict[Path, tuple[list[tuple[str, int, int]], _Layout]] = {}


def list_images(path: str, split: str = "train", fewest_classes: int = 2) -> Listing:
    """Return the images of one split of a directory or zip. docs/images.md describes the rules.

    Folders with the name of a split (`layout.SPLIT_NAMES`, in upper or lower case) are splits; if there are none,
    every image belongs to the training split. The images of `val` are the test split if there is no `test`, and are
    skipped otherwise. Within a split, each folder is a class, unless it is the only folder. If there is a
    `dataset.json`, its labels are the classes instead.

    Args:
        path: A directory or a zip file.
        split: `train` or `test`. The test split may be empty.
        fewest_classes: If the training split has fewer classes than this number, the images are read without classes.

    Raises:
        UserError: If `path` does not exist, cannot be read, is a file other than a zip, or has no training images. The
            error is also raised if images are next to class folders, if only some class folders are divided into
            splits, or if `check_names` refuses the name of a class folder.
    """
    root = Path(path).expanduser()
    layout = _layout(root)
    if not layout.images["train"]:
        raise UserError(
            f"path={path}: there are test images, but no images in a folder `train`.\n"
            "Rename the folder with the training images to `train`, or give its path."
        )
    warnings = list(layout.warnings)
    known = sort_names(name for _, name in layout.images["train"] if name is not None)
    if len(known) < fewest_classes:
        known = []
    images = layout.images[split]
    classes = sort_names(name for _, name in images if name is not None) if known else []
    if split == "test" and len(classes) == 1 and without_case(classes[0]) not in map(without_case, known):
        warnings.append(
            f"folder {classes[0]} of the test split is not a class of the training split: the test split has no labels."
        )
        classes = []
    try:
        check_names(classes)
    except UserError as error:
        raise UserError(f"path={path}: {error}") from None
    if split == "train":
        warnings += class_warnings(classes, images, layout.from_folders)
    number = {name: index for index, name in enumerate(classes)}
    labels = [number[name] for _, name in images if name is not None] if classes else None
    passed_over = dict(+layout.passed_over) if split == "train" else {}  # reported only with the training split
    return Listing(root, [path for path, _ in images], labels, classes, passed_over, warnings)


def count_classes(path: str | None) -> int:
    """Return the number of classes in data.path, 0 if there are none. A config calls this with `${count_classes:…}`.

    Raises:
        UserError: If the path is missing or `list_images` refuses it.
    """
    if not path:
        raise UserError("Missing value: data.path=… (a directory or zip of images)")
    try:
        return len(list_images(path).classes)
    except UserError as error:
        raise UserError(f"data.{error}") from None  # the message starts with path=…


def _layout(root: Path) -> _Layout:
    """Return the layout of a directory or zip; use the cached layout if no directory or file has changed."""
    key = root.absolute()
    if key in _layouts and _state(_watched(_layouts[key][0])) == _layouts[key][0]:
        return _layouts[key][1]
    now = time.time_ns()
    found = scan(root)
    layout = _arrange(found, root)
    state = _state([path.absolute() for path in found.watched])
    _layouts.pop(key, None)
    if all(now - changed > _SETTLED_SECONDS * 10**9 for _, changed, _ in state):
        _layouts[key] = (state, layout)
    return layout


def _watched(state: Sequence[tuple[str, int, int]]) -> list[Path]:
    return [Path(path) for path, _, _ in state]


def _state(paths: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Return the path, modification time and size of each file or directory; if it is missing, time and size are 0."""
    state = []
    for path in paths:
        try:
            status = path.stat()
            state.append((str(path), status.st_mtime_ns, status.st_size))
        except OSError:
            state.append((str(path), 0, 0))
    return state


def _arrange(found: Scan, root: Path) -> _Layout:
    try:
        where = places(found.images)
        index = read_indexes(found.indexes, found.images)
        images: dict[str, list[tuple[str, str | None]]] = {"train": [], "test": [], "val": []}
        layout = _Layout(images, Counter(found.passed_over), list(index.warnings), not index.exists)
        for path, place in zip(found.images, where, strict=True):
            if place.split is None:
                layout.passed_over[OUTSIDE] += 1
            elif index.classes and path not in index.classes:
                layout.passed_over[NOT_INDEXED] += 1
            else:
                layout.images[place.split].append((path, _class_of(path, place, index)))
        for of_split in images.values():
            _refuse_mixture(of_split)
    except UserError as error:
        raise UserError(f"path={root}: {error}") from None
    if not layout.images["test"]:
        layout.images["test"], layout.images["val"] = layout.images["val"], []
    layout.passed_over["of the val split"] += len(layout.images["val"])
    return layout


def _class_of(path: str, place: Place, index: Index) -> str | None:
    if index.exists:
        return index.classes.get(path)
    return place.folders[0] if place.folders else None


def _refuse_mixture(images: Sequence[tuple[str, str | None]]) -> None:
    """Raise a UserError if some images are next to class folders, and other images are in them."""
    stray = [path for path, name in images if name is None]
    if stray and len(stray) < len(images):
        raise UserError(
            f"{stray[0]} is next to class folders.\nMove it into one of them, or put all images into one folder."
        )
