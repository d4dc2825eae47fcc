"""docs/images.md agrees with the code."""

import re
from pathlib import Path

import pytest
from helpers.images import write_files

from ganexp.data.layout import SPLIT_NAMES
from ganexp.data.layout_warnings import FEW_IMAGES, MANY_CLASSES
from ganexp.data.listing import list_images
from ganexp.data.scan import FORMATS

PAGE = (Path(__file__).parents[2] / "docs" / "images.md").read_text()


def rows(header):
    """Return the cells of the table whose first line begins with `header`."""
    lines = PAGE[PAGE.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def quoted(cell):
    return re.findall("`([^`]+)`", cell)


def test_suffixes_are_those_of_the_code():
    documented = {suffix: kind for kind, suffixes in rows("| format |") for suffix in quoted(suffixes)}
    assert documented == FORMATS


def test_split_names_are_those_of_the_code():
    documented = {split: tuple(quoted(names)) for split, names, _ in rows("| split | names |")}
    assert documented == SPLIT_NAMES


@pytest.mark.parametrize(("files", "splits", "classes"), rows("| files | split |"))
def test_layouts_are_read_as_documented(tmp_path, files, splits, classes):
    write_files(tmp_path, dict.fromkeys(quoted(files), 1))
    train, test = (list_images(str(tmp_path), split) for split in ("train", "test"))
    assert train.classes == [name for name in classes.split(", ") if name]
    assert bool(test.names) == (splits == "train, test")
    assert len(train.names) + len(test.names) == len(quoted(files))


def test_limits_of_warnings_are_those_of_the_code():
    assert f"{MANY_CLASSES:,} classes or more with fewer than {FEW_IMAGES} images on average" in " ".join(PAGE.split())
