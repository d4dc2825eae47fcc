"""Summarize a dataset: its images, classes and splits, skipped files, and warnings about probable mistakes."""

from collections.abc import Mapping

from ganexp.console import count
from ganexp.data.images import ImageSet

LISTED_CLASSES = 10  # if there are more classes, only some are listed
NAMED_CLASSES = 3


def data_summary(image_sets: Mapping[str, ImageSet]) -> list[str]:
    """Return the lines of the dataset summary that is printed before training.

    Args:
        image_sets: the images of each split. The keys are the names of the splits; `train` is the training split. A
            label has the same meaning in all splits.
    """
    lines, warnings = [], []
    for split, image_set in image_sets.items():
        title = "dataset" if split == "train" else f"{split} split"
        lines.append(f"{title}: {describe_images(image_set)}")
        lines += [f"  {note}" for note in image_set.notes]
        warnings += [warning for warning in image_set.warnings if warning not in warnings]
    return lines + [f"warning: {warning}" for warning in warnings]


def describe_images(image_set: ImageSet) -> str:
    """Return the number of images and the class sizes; if there are many classes, only some of them are listed."""
    total = count(len(image_set), "image")
    if image_set.labels is None:
        return f"{total} without classes"
    sizes = dict(zip(image_set.classes, image_set.class_counts, strict=True))
    several = f"{total} in {count(len(sizes), 'class')}"
    if len(set(sizes.values())) == 1 and len(sizes) > 1:
        names = list(sizes)
        shown = names if len(names) <= LISTED_CLASSES else [*names[:NAMED_CLASSES], "…", names[-1]]
        return f"{several} of {sizes[names[0]]:,} each: {', '.join(shown)}"
    if len(sizes) <= LISTED_CLASSES:
        return f"{several}: {_listed(sizes)}"
    by_size = dict(sorted(sizes.items(), key=lambda item: item[1]))
    smallest = dict(list(by_size.items())[:NAMED_CLASSES])
    largest = dict(list(by_size.items())[: -NAMED_CLASSES - 1 : -1])
    return f"{several}: smallest {_listed(smallest)}; largest {_listed(largest)}"


def _listed(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {size:,}" for name, size in sizes.items())
