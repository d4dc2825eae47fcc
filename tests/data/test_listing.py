"""The layout of a directory or zip of images: splits, classes and mistakes."""

import os
import shutil
import zipfile

import pytest
from helpers.images import photo, write_files

from ganexp.data import sets
from ganexp.data.listing import count_classes, list_images
from ganexp.errors import UserError


@pytest.mark.parametrize("as_zip", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_folders_are_splits_and_classes(tmp_path, as_zip, wrapped):
    top = tmp_path / "set" / ("faces" if wrapped else "")
    for split, count in (("train", 3), ("test", 2)):
        for name, colour in (("a", (255, 0, 0)), ("b", (0, 0, 255))):
            for i in range(count):
                photo(top / split / name / f"{i}.png", colour=colour)
    (top / "train" / "empty").mkdir()
    path = tmp_path / "set"
    if as_zip:
        path = tmp_path / "set.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((tmp_path / "set").rglob("*.png")):
                archive.write(file, file.relative_to(tmp_path / "set"))
    assert count_classes(str(path)) == 2
    train = sets.folder("", "train", 8, 3, path=str(path))
    assert train.classes == ["a", "b"]
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert train.images[:, :, 0, 0].tolist() == [[255, 0, 0]] * 3 + [[0, 0, 255]] * 3
    assert len(sets.folder("", "test", 8, 3, path=str(path))) == 4


def test_single_folder_makes_no_classes(tmp_path):
    for i in range(3):
        photo(tmp_path / "only" / f"{i}.jpg")
    assert count_classes(str(tmp_path)) == 0
    assert list_images(str(tmp_path)).labels is None
    assert list_images(str(tmp_path)).names == ["only/0.jpg", "only/1.jpg", "only/2.jpg"]
    assert list_images(str(tmp_path), "test").names == []


def test_hidden_files_and_other_types_are_ignored(tmp_path):
    path = tmp_path / "set.zip"
    names = ("a.PNG", "notes.txt", "__MACOSX/a.png", ".b.png", "c/.d.png", ".e/f.png")
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    assert list_images(str(path)).names == ["a.PNG"]


@pytest.mark.parametrize(
    "name", ["${oc.env:HOME}", "a${b", "???", "two\nlines", "a\tb", "a\u2028b", os.fsdecode(b"\xe9t\xe9")]
)
def test_class_name_that_a_config_cannot_store_is_refused(tmp_path, name):
    write_files(tmp_path, {"cat/1.png": 1, f"{name}/1.png": 2})
    with pytest.raises(UserError) as refused:
        count_classes(str(tmp_path))
    message = str(refused.value)
    assert message.startswith(f"data.path={tmp_path}: the class folder {name!a} has a name that a config cannot")
    assert "rename it" in message
    assert message.isprintable() or message.count("\n") == 1
    shutil.rmtree(tmp_path / "cat")
    assert count_classes(str(tmp_path)) == 0  # a single folder is no class, so its name does not matter


def test_class_names_may_have_any_script(tmp_path):
    names = ["a $ b", "été", "کتاب‌ها", "全角\u3000空白", "🐈", "what?"]
    write_files(tmp_path, {f"{name}/1.png": 1 for name in names})
    assert count_classes(str(tmp_path)) == len(names)


def test_unusable_path_is_rejected(tmp_path):
    with pytest.raises(UserError, match=r"^path=\S*nowhere: no such directory or zip"):
        list_images(str(tmp_path / "nowhere"))
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match="no image in it"):
        list_images(str(tmp_path))
    with pytest.raises(UserError, match="not a zip"):
        list_images(str(tmp_path / "notes.txt"))


def test_image_beside_class_folders_is_rejected(tmp_path):
    for name in ("a/1.png", "b/1.png", "stray.png"):
        photo(tmp_path / name)
    with pytest.raises(UserError, match=r"stray.png is next to class folders"):
        list_images(str(tmp_path))


def test_count_classes_names_the_config_key(tmp_path):
    with pytest.raises(UserError, match=r"^Missing value: data.path=…"):
        count_classes(None)
    with pytest.raises(UserError, match=r"^data.path=\S*nowhere: no such directory or zip"):
        count_classes(str(tmp_path / "nowhere"))
