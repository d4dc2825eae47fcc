"""Describe the content of a dataset without decoding images: the sizes of its splits and classes."""

from collections.abc import Mapping
from typing import Any

from ganexp.data import sets
from ganexp.data.images import ImageSet
from ganexp.data.listing import Listing, list_images
from ganexp.errors import UserError, first_line

# The number of images in each split of the published datasets, which need not be on this machine.
PUBLISHED = {
    "mnist": {"train": 60_000, "test": 10_000},
    "cifar": {"train": 50_000, "test": 10_000},
    "stl10": {"train": 5_000, "test": 8_000, "train+test": 13_000, "unlabeled": 100_000},
    "flowers102": {"all": 8_189, "train": 1_020, "val": 1_020},
}
IN_THE_PACKAGE = ("digits", "fake")  # datasets that need no files besides the package


def contents(source: Mapping[str, Any], resolution: int, channels: int) -> dict[str, Any]:
    """Return the content of a dataset, such as the sizes of its splits; empty if unknown before images are read.

    Args:
        source: The config that names a function in `ganexp.data.sets` or a user-defined function, with its arguments.
        resolution: Height and width of the images, in pixels.
        channels: Number of channels of the images, 1 or 3.

    Returns:
        A dict. Its entry `images` has, for each split, the number of images, or a dict with the number of images of
        each class. For a directory or zip, the entry `passed_over` has the number of skipped files for each reason, and
        the entry `warnings` lists probable mistakes in the layout. If the directory or zip cannot be listed, the only
        entry is `problem`, the error message.
    """
    module, _, name = str(source["_target_"]).rpartition(".")
    if module != sets.__name__:
        return {}
    settings = {key: value for key, value in source.items() if not key.startswith("_")}
    if name in PUBLISHED:
        return {"images": PUBLISHED[name]}
    if name in IN_THE_PACKAGE:
        load = getattr(sets, name)
        read = {split: load("", split, resolution, channels, **settings) for split in ("train", "test")}
        return {"images": {split: _sizes(image_set) for split, image_set in read.items()}}
    return _of_path(str(settings["path"])) if name == "folder" else {}


def _of_path(path: str) -> dict[str, Any]:
    try:
        listings = {split: list_images(path, split) for split in ("train", "test")}
    except UserError as error:
        return {"problem": first_line(error)}
    warnings = [warning for listing in listings.values() for warning in listing.warnings]
    return {
        "images": {split: _listed_sizes(listing) for split, listing in listings.items() if listing.names},
        "passed_over": listings["train"].passed_over,
        "warnings": list(dict.fromkeys(warnings)),
    }


def _sizes(image_set: ImageSet) -> int | dict[str, int]:
    if image_set.labels is None:
        return len(image_set)
    return dict(zip(image_set.classes, image_set.class_counts, strict=True))


def _listed_sizes(listing: Listing) -> int | dict[str, int]:
    if listing.labels is None:
        return len(listing.names)
    sizes = dict.fromkeys(listing.classes, 0)
    for label in listing.labels:
        sizes[listing.classes[label]] += 1
    return sizes
