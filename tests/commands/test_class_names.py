"""Classes are found by name or by number, and directories are named after classes."""

import pytest

from ganexp.commands.class_names import class_directories, class_names, find_class
from ganexp.errors import UserError

ANIMALS = ["cat", "dog", "owl", "3D", "true"]


@pytest.mark.parametrize(
    ("label", "names", "number"),
    [
        ("owl", ANIMALS, 2),
        (2, ANIMALS, 2),
        ("2", ANIMALS, 2),
        (0, ANIMALS, 0),
        ("3D", ANIMALS, 3),
        (True, ANIMALS, 4),
        (True, ["false", "True"], 1),
        (10, ["0", "1", "2", "10"], 3),
        ("10", ["0", "1", "2", "10"], 3),
        (1, ["5", "1", "x"], 1),
        (0, ["5", "1", "x"], 0),
        ("007", ["000", "007"], 1),
        (1.5, ["1.5", "2.5"], 0),
    ],
)
def test_class_is_found_by_name_then_by_number(label, names, number):
    assert find_class(label, names) == number


@pytest.mark.parametrize("label", ["cow", "Cat", 5, -1, 1.0, "1e0", ""])
def test_unknown_class_is_refused_with_the_names(label):
    with pytest.raises(UserError, match=rf"label={label}: no such class.* cat, dog, owl, .*number from 0 to 4"):
        find_class(label, ANIMALS)


def test_number_is_a_name_where_all_names_are_numbers():
    """The class with number 3 is named 10 here: drawing this class for label=3 would be a silent mistake."""
    with pytest.raises(UserError, match=r"label=3: no such class. Classes: 0, 1, 2, 10. Give a name$"):
        find_class(3, ["0", "1", "2", "10"])


def test_long_list_of_names_is_shortened():
    with pytest.raises(UserError, match=r"Classes: n0, .*, n9, …. Give a name, or a number from 0 to 399$"):
        find_class("x", [f"n{number}" for number in range(400)])


def test_model_without_classes_has_no_label():
    with pytest.raises(UserError, match="label=cat: this run is not conditional"):
        find_class("cat", [])


def test_names_are_numbers_where_they_are_not_known():
    assert class_names(None, 3) == ["0", "1", "2"]
    assert class_names(["a", "b"], 2) == ["a", "b"]


NAMES = ["cat", "Ankle boot", "日本", "T-shirt/top", "a\\b", "..", ".git", "dot.", " x", "50%", "%2F", "/", "", "c:"]


def test_directories_are_safe_and_different():
    directories = class_directories(NAMES)
    assert directories[:4] == ["cat", "Ankle boot", "日本", "T-shirt%2Ftop"]
    assert len(set(directories)) == len(NAMES)
    assert all(name and name.strip(". ") == name and not set(name) & set('/\\:*?"<>|') for name in directories)


def test_long_names_are_cut_and_stay_different():
    long = class_directories(["ü" * 200 + "a", "ü" * 200 + "b"])
    assert len(set(long)) == 2
    assert all(len(name.encode()) < 200 for name in long)
