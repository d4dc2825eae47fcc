"""The printed lines that say what was found in a dataset."""

import torch

from ganexp.commands.data_summary import data_summary
from ganexp.data import sets
from ganexp.data.images import ImageSet


def image_set(counts, notes=(), warnings=(), names=None):
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    classes = names or [f"c{number}" for number in range(len(counts))]
    images = torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8)
    return ImageSet(images, labels, classes, list(notes), list(warnings))


def test_few_classes_are_listed_with_their_sizes():
    train = image_set([2, 1000], names=["cat", "dog"], notes=["passed over: 3 .avif"], warnings=["rename it"])
    test = image_set([0, 1], names=["cat", "dog"], warnings=["rename it"])
    assert data_summary({"train": train, "test": test}) == [
        "dataset: 1,002 images in 2 classes: cat 2, dog 1,000",
        "  passed over: 3 .avif",
        "test split: 1 image in 2 classes: cat 0, dog 1",
        "warning: rename it",
    ]


def test_many_classes_are_shortened_to_the_extremes():
    (line,) = data_summary({"train": image_set(list(range(1, 31)))})
    assert line == ("dataset: 465 images in 30 classes: smallest c0 1, c1 2, c2 3; largest c29 30, c28 29, c27 28")
    (line,) = data_summary({"train": image_set([7] * 30)})
    assert line == "dataset: 210 images in 30 classes of 7 each: c0, c1, c2, …, c29"


def test_images_without_classes_are_counted():
    assert data_summary({"train": sets.fake("", "train", 8, 1, num_classes=0, size=5)}) == [
        "dataset: 5 images without classes"
    ]


def test_built_in_sets_have_a_block():
    (line,) = data_summary({"train": sets.digits("", "train", 8, 1)})
    assert line.startswith("dataset: 1,438 images in 10 classes: 0 151, 1 161, ")
