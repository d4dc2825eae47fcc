"""Find probable mistakes in the classes of a listing, and suggest how to correct them.

This module must not import torch.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from ganexp.data.layout import is_number, shorten, split_of, without_case

MANY_CLASSES = 1000  # at least this many folders, each with few images, are probably single objects, not classes
FEW_IMAGES = 10  # classes are small if they have fewer images than this number on average
NO_CLASSES = 'If these folders are not classes, put a file dataset.json with {"labels": null} next to them.'


def class_warnings(
    classes: Sequence[str], images: Sequence[tuple[str, str | None]], from_folders: bool = True
) -> list[str]:
    """Return a warning for each probable mistake in the classes.

    Args:
        classes: The names of the classes, sorted.
        images: The path of each image and the name of its class.
        from_folders: Whether the classes are folders; otherwise they are the labels of a dataset.json.
    """
    if not classes:
        return []
    if not from_folders:
        return _of_sizes(classes, images, "")
    if _look_like_parts(classes, images):
        return [f"{len(classes):,} numbered folders ({shorten(classes, 3)}) are read as classes. {NO_CLASSES}"]
    return [*_splits_as_classes(classes), *_same_but_for_case(classes), *_of_sizes(classes, images, f" {NO_CLASSES}")]


def _of_sizes(classes: Sequence[str], images: Sequence[tuple[str, str | None]], fix: str) -> list[str]:
    """Return a warning about small classes, followed by `fix` if most classes are small."""
    counts = Counter(name for _, name in images if name is not None)
    single = [name for name in classes if counts[name] == 1]
    if len(classes) >= MANY_CLASSES and len(images) < FEW_IMAGES * len(classes):
        return [f"{len(classes):,} classes have {len(images):,} images together.{fix}"]
    if not single:
        return []
    subject = "1 class has" if len(single) == 1 else f"{len(single):,} classes have"
    warning = f"{subject} one image only: {shorten(single)}. Add images to a class with one image, or remove it."
    return [warning + (fix if 2 * len(single) > len(classes) else "")]


def _same_but_for_case(classes: Sequence[str]) -> list[str]:
    """Return a warning if some class names differ only in upper and lower case."""
    similar: dict[str, list[str]] = {}
    for name in classes:
        similar.setdefault(without_case(name), []).append(name)
    pairs = [" and ".join(names) for names in similar.values() if len(names) > 1]
    if not pairs:
        return []
    return [f"the classes {'; '.join(pairs)} differ only in case. If they are the same class, use one folder."]


def _splits_as_classes(classes: Sequence[str]) -> list[str]:
    """Return a warning if a class has the name of a split, or several contain a split's name, as in train_images."""
    alike = [name for name in classes if any(split_of(word) for word in re.split(r"[^A-Za-z]+", name))]
    if len(alike) < 2 and not any(split_of(name) for name in classes):
        return []
    return [
        f"the folders {shorten(classes)} are read as classes, but {shorten(alike)} may be a split. "
        "If so, give the folders of the splits the names train and test, and put no other folder next to them."
    ]


def _look_like_parts(classes: Sequence[str], images: Sequence[tuple[str, str | None]]) -> bool:
    """Return whether numbered folders seem to be parts of one list of files, whose numbers continue across folders.

    StyleGAN's tools and FFHQ have folders with numbers of five digits, and number their files across all folders.
    """
    if not all(is_number(name) and len(name) == len(classes[0]) >= 4 for name in classes):
        return False
    numbers: dict[str, list[int]] = {}
    for path, name in images:
        digits = re.search(r"(\d+)\.\w+$", path)
        if digits is None or name is None:
            return False
        numbers.setdefault(name, []).append(int(digits[1]))
    return all(max(numbers[a]) < min(numbers[b]) for a, b in pairwise(classes))
