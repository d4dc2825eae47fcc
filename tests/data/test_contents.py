"""What is known of a dataset before an image is decoded."""

import pytest
from helpers.images import write_files

from ganexp.data import sets
from ganexp.data.contents import PUBLISHED, contents


def of(name, **settings):
    return contents({"_target_": f"ganexp.data.sets.{name}", **settings}, 8, 3)


def test_directory_is_listed_without_decoding(tmp_path):
    write_files(tmp_path, {"train/a/0.png": b"not an image", "train/b/0.png": 1, "train/b/1.png": 1, "test/0.png": 2})
    write_files(tmp_path, {"train/b/notes.txt": b""})
    found = of("folder", path=str(tmp_path))
    assert found["images"] == {"train": {"a": 1, "b": 2}, "test": 1}
    assert found["passed_over"] == {".txt": 1}
    assert "1 class has one image only: a" in found["warnings"][0]


def test_missing_directory_is_a_problem_and_no_error(tmp_path):
    path = tmp_path / "none"
    assert of("folder", path=str(path)) == {"problem": f"path={path}: no such directory or zip. Put the images there."}
    (tmp_path / "nonet").touch()  # neither a directory nor a zip
    assert of("folder", path=str(path))["problem"].endswith("Put the images there.")
    (tmp_path / "nine").mkdir()
    assert of("folder", path=str(path))["problem"].endswith(f"no such directory or zip. Did you mean {tmp_path}/nine?")


def test_sets_of_the_package_have_class_sizes():
    assert of("fake", num_classes=0, size=30)["images"] == {"train": 30, "test": 30}
    sizes = of("digits")["images"]
    assert sum(sizes["train"].values()) == 1438
    assert sizes["test"]["9"] == 42


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sets_are_known_without_their_files(name):
    assert callable(getattr(sets, name))
    assert of(name)["images"]["train"] >= 1000


def test_dataset_of_another_package_is_unknown():
    assert contents({"_target_": "my_dataset.folder", "path": "x"}, 8, 3) == {}
    assert of("unknown") == {}
