"""Warnings about classes that look like a mistake, and no warnings about other classes."""

import pytest

from ganexp.data.layout import sort_names
from ganexp.data.layout_warnings import class_warnings


def warnings_of(counts, files="{n}.png", from_folders=True):
    """Return the warnings about the classes of a set; `counts` maps the name of each class to its number of images.

    `files` is the format of file names: {n} counts the images of one folder, and {total} the images of all folders.
    """
    images, total = [], 0
    for name, count in counts.items():
        for number in range(count):
            images.append((f"{name}/{files.format(n=number, total=total)}", name))
            total += 1
    return class_warnings(sort_names(counts), images, from_folders)


def test_files_numbered_through_all_folders_are_parts():
    parts = {f"{number:05}": 3 for number in range(4)}
    (warning,) = warnings_of(parts, "img{total:08}.png")
    assert warning.startswith("4 numbered folders (00000, 00001, …, 00003) are read as classes. ")
    assert warning.endswith('put a file dataset.json with {"labels": null} next to them.')
    assert warnings_of(parts, "{n}.png") == []
    assert warnings_of({str(number): 3 for number in range(10)}, "{total}.png") == []


@pytest.mark.parametrize(("images", "warned"), [(9, True), (10, False)])
def test_many_classes_are_warned_of_if_they_are_small(images, warned):
    found = warnings_of({f"n{number:08}": images for number in range(1000)})
    assert [warning.startswith("1,000 classes have 9,000 images together") for warning in found] == [True] * warned


def test_folder_for_every_image_names_both_fixes():
    (warning,) = warnings_of({f"patient{number}": 1 for number in range(30)})
    assert warning.startswith("30 classes have one image only: patient0, patient1, ")
    assert "dataset.json" in warning
    (warning,) = warnings_of({"a": 5, "b": 1, "c": 5})
    assert warning == "1 class has one image only: b. Add images to a class with one image, or remove it."


@pytest.mark.parametrize(
    ("classes", "warned"),
    [
        (("train_images", "test_images"), True),
        (("Train", "Extra"), True),
        (("seg_train", "seg_test", "seg_pred"), True),
        (("car", "plane", "train"), True),
        (("trainer", "tester"), False),
        (("test_pattern", "landscape"), False),
        (("cat", "dog"), False),
    ],
)
def test_classes_called_as_splits_are_warned_of(classes, warned):
    found = warnings_of(dict.fromkeys(classes, 3))
    assert any("may be a split" in warning for warning in found) == warned


def test_labels_of_an_index_are_no_folders():
    assert warnings_of({"0000": 3, "0001": 3}, "{total}.png", from_folders=False) == []


def test_classes_that_differ_in_case_are_warned_of():
    (warning,) = warnings_of({"Cat": 3, "cat": 3, "dog": 3})
    assert warning == "the classes Cat and cat differ only in case. If they are the same class, use one folder."
