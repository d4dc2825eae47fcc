"""Read the labels in `dataset.json`, the index that StyleGAN's tools write. Must not import torch.

Its form is `{"labels": [["00000/img00000000.png", 3], …]}`, with paths relative to the file, or `{"labels": null}`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any


@dataclass
class Index:
    """What the index files of a listing say.

    Attributes:
        exists: Whether there is any; then folders are no classes.
        classes: The class of each image that has one, by its path: the label as text. Empty if there are no labels.
        warnings: Index files that are not as expected.
    """

    exists: bool = False
    classes: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_indexes(contents: Mapping[str, bytes], images: Iterable[str]) -> Index:
    """Return what the files in `contents`, by their paths, say about the images with these paths."""
    index = Index()
    for path, content in contents.items():
        values = _values(content)
        if values is None:
            index.warnings.append(f"{path} is not used: it is no JSON file with the key labels.")
            continue
        index.exists = True
        labels = _labels(values["labels"])
        if labels is None:
            index.warnings.append(f"{path}: its labels are not used: they are no list of [file, whole number].")
            continue
        folder = PurePosixPath(path).parent
        index.classes |= {(folder / name).as_posix(): str(label) for name, label in labels.items()}
    if absent := sorted(index.classes.keys() - set(images)):
        index.warnings.append(f"dataset.json has labels of {len(absent):,} missing images, such as {absent[0]}.")
    return index


def _values(content: bytes) -> dict[str, Any] | None:
    """Return the content of an index, or None if it is another file of this name."""
    try:
        values = json.loads(content)
    except ValueError:
        return None
    return values if isinstance(values, dict) and "labels" in values else None


def _labels(pairs: Any) -> dict[str, int] | None:
    """Return the label of each file, none if `pairs` is null, or None if they are not [file, whole number]."""
    try:
        labels = {str(name).replace("\\", "/"): label for name, label in pairs or ()}
    except (TypeError, ValueError):
        return None
    are_whole = all(isinstance(label, int) and not isinstance(label, bool) for label in labels.values())
    return labels if are_whole else None
