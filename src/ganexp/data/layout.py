"""Decide which folders of a listing are splits and which are classes. This module must not import torch."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ganexp.errors import UserError

SPLIT_NAMES = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "val": ("val", "valid", "validation", "dev"),
}  # the names that a split's folder may have, in upper or lower case
_SPLIT_OF = {name: split for split, names in SPLIT_NAMES.items() for name in names}
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # Unicode categories: control characters, bytes that are not UTF-8, line breaks
OUTSIDE = "outside of the splits' folders"

Folders = tuple[str, ...]  # the folders in a file's path, from the top folder down


class Place(NamedTuple):
    """The split of a file (None if the file is in no split), and the other folders in its path."""

    split: str | None
    folders: Folders


def split_of(folder: str) -> str | None:
    """Return the split that a folder name stands for, or None if it does not stand for a split.

    Example:
        >>> split_of("Training"), split_of("valid"), split_of("cat")
        ('train', 'val', None)
    """
    return _SPLIT_OF.get(folder.lower())


def places(paths: Sequence[str]) -> list[Place]:
    """Return, for each image, its split and the folders that may be its class.

    Folders that contain all images are left out, unless images lie directly in them. The split folders are at the top
    of the remaining folders, or all split folders are at the same deeper level (`class/split/1.png`). If there are no
    split folders, all images belong to the training split.

    Raises:
        UserError: If only some of the class folders are divided into splits.
    """
    folders = _without_common([tuple(path.split("/")[:-1]) for path in paths])
    depth = _split_depth(folders)
    if depth is None:
        _refuse_partly_divided(paths, folders)
        found = [Place("train", own) for own in folders]
    else:
        found = [_place(own, depth) for own in folders]
    found = _without_repeated_split(found, depth or 0)
    rest = iter(_without_common([place.folders for place in found if place.split]))
    return [Place(place.split, next(rest)) if place.split else place for place in found]


def _without_common(folders: Sequence[Folders]) -> list[Folders]:
    """Return the folders of each file, without top-level folders that contain all files and are not splits.

    Example:
        >>> _without_common([("data", "a"), ("data", "b", "more")])
        [('a',), ('b', 'more')]
    """
    rest = list(folders)
    while (
        rest and all(len(own) > 1 for own in rest) and len({own[0] for own in rest}) == 1 and not split_of(rest[0][0])
    ):
        rest = [own[1:] for own in rest]
    return rest


def _split_depth(folders: Sequence[Folders]) -> int | None:
    """Return the depth of the split folders, or None if there are none.

    At the top level, it is enough that there are a training folder and a test or validation folder. Otherwise, every
    image must be in a split folder, and all split folders must be at the same depth.
    """
    top = {split_of(own[0]) for own in folders if own}
    if "train" in top and top & {"test", "val"}:
        return 0
    for depth in range(min(len(own) for own in folders)):
        if all(split_of(own[depth]) for own in folders):
            return depth
    return None


def _place(folders: Folders, depth: int) -> Place:
    split = split_of(folders[depth]) if len(folders) > depth else None
    return Place(split, folders[:depth] + folders[depth + 1 :]) if split else Place(None, folders)


def _without_repeated_split(found: Sequence[Place], depth: int) -> list[Place]:
    """Return the places without the second folder of a repeated split, as in `train/train/cat.1.jpg`."""
    repeated = {}
    for split in {place.split for place in found}:
        own = [place.folders for place in found if place.split == split]
        repeated[split] = split and all(len(f) > depth and split_of(f[depth]) == split for f in own)
    return [
        Place(split, folders[:depth] + folders[depth + 1 :]) if repeated[split] else Place(split, folders)
        for split, folders in found
    ]


def _refuse_partly_divided(paths: Sequence[str], folders: Sequence[Folders]) -> None:
    splits: dict[str, set[str | None]] = defaultdict(set)
    for own in folders:
        if own:
            splits[own[0]].add(split_of(own[1]) if len(own) > 1 else None)
    divided = [name for name, found in splits.items() if "train" in found and found & {"test", "val"}]
    if divided:
        stray = next(path for path, own in zip(paths, folders, strict=True) if len(own) < 2 or not split_of(own[1]))
        raise UserError(
            f"the folder {divided[0]} is divided into splits, but {stray} is not in a split.\n"
            "Move it into a split's folder (train, test), or remove it."
        )


def sort_names(names: Iterable[str]) -> list[str]:
    """Return class names in numeric order if all are whole numbers, and otherwise in alphabetical order.

    Example:
        >>> sort_names(["10", "9", "1"]), sort_names(["10", "9", "a"])
        (['1', '9', '10'], ['10', '9', 'a'])
    """
    distinct = set(names)
    if all(is_number(name) for name in distinct):
        return sorted(distinct, key=lambda name: (int(name), name))
    return sorted(distinct)


def check_names(classes: Iterable[str]) -> None:
    """Check that class names can be written to the config of a run and to pictures.

    Raises:
        UserError: If a name is not UTF-8, has a line break or another control character, or has a meaning in a config.
    """
    for name in classes:
        is_plain = all(unicodedata.category(character) not in _UNPRINTABLE for character in name)
        if not is_plain or "${" in name or name == "???":
            raise UserError(
                f"the class folder {name!a} has a name that a config cannot store: rename it.\n"
                'A name is one line of UTF-8 without control characters. It must not contain "${" or be "???".'
            )


def is_number(name: str) -> bool:
    """Return whether the name of a class is a whole number."""
    return name.removeprefix("-").isdecimal() and name.isascii()


def without_case(name: str) -> str:
    """Return a name in lower case, with accented letters in one Unicode encoding, so that names can be compared."""
    return unicodedata.normalize("NFC", name).casefold()


def match_names(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Return, for each name, the index in `classes` of the equal name.

    If there is no equal name, the index of the name that differs only in case is returned.

    Raises:
        UserError: If names are not in `classes`, or two names match the same class.

    Example:
        >>> match_names(["Dog", "cat"], ["cat", "dog", "owl"])
        [1, 0]
    """
    exact = {name: index for index, name in enumerate(classes)}
    similar: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(classes):
        similar[without_case(name)].append(index)
    matched = {}
    for name in names:
        alike = similar[without_case(name)]
        if name in exact:
            matched[name] = exact[name]
        elif len(alike) == 1:
            matched[name] = alike[0]
    if unknown := [name for name in names if name not in matched]:
        which = f"classes {shorten(unknown)} are" if len(unknown) > 1 else f"class {unknown[0]} is"
        raise UserError(f"the {which} not among the classes {shorten(classes, 20)}.")
    if len(set(matched.values())) < len(matched):
        _refuse_same_meaning(matched, classes)
    return [matched[name] for name in names]


def _refuse_same_meaning(matched: Mapping[str, int], classes: Sequence[str]) -> None:
    for index, name in enumerate(classes):
        alike = [own for own, target in matched.items() if target == index]
        if len(alike) > 1:
            raise UserError(f"the classes {' and '.join(alike)} mean the same class, {name}: give them one name.")


def shorten(names: Sequence[str], longest: int = 5) -> str:
    """Return names as one text; a long list is shortened to its first names and its last name.

    Example:
        >>> shorten([str(i) for i in range(100)])
        '0, 1, 2, 3, …, 99'
    """
    shown = [*names] if len(names) <= longest else [*names[: longest - 1], "…", names[-1]]
    return ", ".join(shown)
