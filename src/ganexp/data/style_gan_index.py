"""Read the labels in `dataset.json`, the index that StyleGAN's tools write. This module must not import torch.

The file contains `{"labels": [["00000/img00000000.png", 3], …]}`, with paths relative to the file, or
`{"labels": null}`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ganexp.console import count


@dataclass
class Index:
    """The content of the index files of a listing.

    Attributes:
        exists: Whether there is an index file; if so, folders are not classes.
        classes: The label of each labelled image, as text; the key is the image's path. Empty if there are no labels.
        warnings: Warnings about invalid index files.
    """

    exists: bool = False
    classes: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_indexes(contents: Mapping[str, bytes], images: Iterable[str]) -> Index:
    """Return the content of all index files together.

    Args:
        contents: The bytes of each index file, with its path as the key.
        images: The paths of all images.
    """
    index = Index()
    for path, content in contents.items():
        values = _values(content)
        if values is None:
            index.warnings.append(f'{path} is not used: it is not a JSON file with a key "labels".')
            continue
        index.exists = True
        labels = _labels(values["labels"])
        if labels is None:
            index.warnings.append(f"{path}: its labels are not used, as they are not a list of [file, whole number].")
            continue
        folder = PurePosixPath(path).parent
        index.classes |= {(folder / name).as_posix(): str(label) for name, label in labels.items()}
    if absent := sorted(index.classes.keys() - set(images)):
        index.warnings.append(f"dataset.json has labels of {count(len(absent), 'missing image')}, such as {absent[0]}.")
    return index


def _values(content: bytes) -> dict[str, Any] | None:
    """Return the content of a file dataset.json, or None if the file is not an index."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):  # RecursionError: too many nested lists
        return None
    return values if isinstance(values, dict) and "labels" in values else None


def _labels(pairs: Any) -> dict[str, int] | None:
    """Return the label of each file, or None if one of `pairs` is not [file, whole number].

    If `pairs` is None, there are no labels, and the result is an empty dict.
    """
    try:
        labels = {str(name).replace("\\", "/"): label for name, label in pairs or ()}
    except (TypeError, ValueError):
        return None
    are_whole = all(isinstance(label, int) and not isinstance(label, bool) for label in labels.values())
    return labels if are_whole else None
