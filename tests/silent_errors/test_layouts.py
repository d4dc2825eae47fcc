"""The layouts of downloaded directories and zips: which splits and classes are read, and which files are not."""

import json
import os
import zipfile
from dataclasses import dataclass, field

import pytest
import torch
from helpers.cli import ganexp
from helpers.images import write_files, write_zip
from PIL import Image

from ganexp.data import sets
from ganexp.data.listing import count_classes, list_images
from ganexp.errors import UserError

CAT, DOG, OWL, HELD_OUT = 10, 20, 30, 100  # grey levels; held-out images are brighter by HELD_OUT


def images(folder, level, count=2, suffix="png"):
    return {f"{folder}/{number}.{suffix}".lstrip("/"): level for number in range(count)}


def pets(folder, bright=0, counts=(2, 3)):
    """Return the files of classes cat and dog below `folder`."""
    cats = images(f"{folder}/cat", CAT + bright, counts[0])
    return cats | images(f"{folder}/dog", DOG + bright, counts[1])


def index(labels, folder=""):
    return {f"{folder}dataset.json": json.dumps({"labels": labels}).encode()}


BUCKETS = {f"{i // 2:05}/img{i:08}.png": CAT + 10 * (i % 2) for i in range(6)}
BUCKET_LABELS = [[name, (level - CAT) // 10] for name, level in BUCKETS.items()]
OF_STYLE_GAN = BUCKETS | index([[name.replace("/", "\\"), label] for name, label in BUCKET_LABELS])


@dataclass
class Layout:
    """Files, and how they should be read.

    `train` and `test` hold the number of images of each class in the split, or one number if there are no classes.
    """

    files: dict
    train: dict | int
    test: dict | int = 0
    passed_over: dict = field(default_factory=dict)
    warned: str = ""


TWO = {"cat": 2, "dog": 3}
HELD = {"cat": 1, "dog": 1}
LAYOUTS = {
    "flat": Layout(images("", CAT, 4), 4),
    "one folder": Layout(images("faces", CAT, 4), 4),
    "classes": Layout(pets("."), TWO),
    "classes below a folder": Layout(pets("a/b c"), TWO),
    "deep in classes": Layout(images("cat/young/left", CAT) | images("cat", CAT, 0) | images("dog/old", DOG, 3), TWO),
    "split/class": Layout(pets("train") | pets("test", HELD_OUT, (1, 1)), TWO, HELD),
    "Split/class": Layout(pets("Train") | pets("TEST", HELD_OUT, (1, 1)), TWO, HELD),
    "training/testing": Layout(pets("training") | pets("Testing", HELD_OUT, (1, 1)), TWO, HELD),
    "below two folders": Layout(pets("archive/data/Train") | pets("archive/data/val", HELD_OUT, (1, 1)), TWO, HELD),
    "class/split": Layout(
        images("cat/train", CAT) | images("cat/Test", CAT + HELD_OUT, 1) | images("dog/train", DOG, 3), TWO, {"cat": 1}
    ),
    "class below a folder/split": Layout(
        images("x/cat/training", CAT)
        | images("x/cat/validation", CAT + HELD_OUT, 1)
        | images("x/dog/training", DOG, 3)
        | images("x/dog/validation", DOG + HELD_OUT, 1),
        TWO,
        HELD,
    ),
    "three splits": Layout(
        pets("train") | pets("test", HELD_OUT, (1, 1)) | pets("valid", 7, (4, 4)), TWO, HELD, {"of the val split": 8}
    ),
    "split without classes": Layout(images("train", CAT) | images("dev", CAT + HELD_OUT, 3), 2, 3),
    "split twice": Layout(images("train/train", CAT) | images("test/test", CAT + HELD_OUT, 3), 2, 3),
    "split twice with classes": Layout(pets("train/train") | pets("test/Test", HELD_OUT, (1, 1)), TWO, HELD),
    "beside splits": Layout(
        pets("train") | pets("test", HELD_OUT, (1, 1)) | images("sample", 3) | {"logo.png": 3},
        TWO,
        HELD,
        {"outside of the splits' folders": 3},
    ),
    "nested copy": Layout(
        pets("chest/train") | pets("chest/test", HELD_OUT, (1, 1)) | pets("chest/chest/train"),
        TWO,
        HELD,
        {"outside of the splits' folders": 5},
    ),
    "class called train": Layout(
        images("car", CAT) | images("train", DOG) | images("plane", OWL),
        {"car": 2, "plane": 2, "train": 2},
        warned="train may be a split",
    ),
    "class called train in splits": Layout(
        images("train/car", CAT) | images("train/train", DOG) | images("test/train", DOG + HELD_OUT, 1),
        {"car": 2, "train": 2},
        {"train": 1},
        warned="train may be a split",
    ),
    "unusual split names": Layout(
        images("seg_train", CAT) | images("seg_test", DOG),
        {"seg_test": 2, "seg_train": 2},
        warned="seg_test, seg_train may be a split",
    ),
    "numbers": Layout({f"{k}/{i}.png": k for k in range(12) for i in range(2)}, {str(k): 2 for k in range(12)}),
    "single images": Layout(
        images("cat", CAT) | images("dog", DOG) | images("owl", OWL, 1),
        {"cat": 2, "dog": 2, "owl": 1},
        warned="1 class has one image only: owl",
    ),
    "numbered parts": Layout(
        BUCKETS, {"00000": 2, "00001": 2, "00002": 2}, warned='dataset.json with {"labels": null}'
    ),
    "StyleGAN": Layout(OF_STYLE_GAN, {"0": 3, "1": 3}),
    "StyleGAN without labels": Layout(BUCKETS | index(None), 6),
    "StyleGAN below a folder": Layout(
        {f"a/{name}": content for name, content in OF_STYLE_GAN.items()}, {"0": 3, "1": 3}
    ),
    "StyleGAN, an image more": Layout(
        OF_STYLE_GAN | {"00003/img00000006.png": 99}, {"0": 3, "1": 3}, passed_over={"not in dataset.json": 1}
    ),
    "StyleGAN, a label more": Layout(
        BUCKETS | index([*BUCKET_LABELS, ["00003/gone.png", 4]]), {"0": 3, "1": 3}, warned="labels of 1 missing image"
    ),
    "StyleGAN with vectors": Layout(
        BUCKETS | index([[name, [0.5, 0.1]] for name in BUCKETS]), 6, warned="its labels are not used"
    ),
    "StyleGAN in splits": Layout(
        {f"train/{name}": content for name, content in OF_STYLE_GAN.items()}
        | {"test/00000/img00000000.png": DOG + HELD_OUT}
        | index([["00000/img00000000.png", 1]], "test/"),
        {"0": 3, "1": 3},
        {"1": 1},
    ),
    "another dataset.json": Layout(pets(".") | {"dataset.json": b'{"name": "pets"}'}, TWO, warned="is not used"),
    "other files": Layout(
        pets(".")
        | {f"cat/{n}.avif": b"" for n in range(3)}
        | {"readme.txt": b"", "more.zip": b"", "LICENSE": b"", "__MACOSX/cat/._0.png": b"", ".cache/0.png": b""},
        TWO,
        passed_over={".avif": 3, ".txt": 1, ".zip": 1, "without a suffix": 1, "hidden": 2},
    ),
}


def counts(image_set):
    if image_set is None:
        return 0
    if image_set.labels is None:
        return len(image_set)
    return dict(zip(image_set.classes, image_set.class_counts, strict=True))


def load(path, split="train"):
    return sets.folder("", split, 4, 1, path=str(path))


@pytest.mark.parametrize("form", ["directory", "zip", "windows"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_means_what_it_looks_like(tmp_path, name, form):
    layout = LAYOUTS[name]
    path = tmp_path / "set"
    if form == "directory":
        write_files(path, layout.files)
    else:
        write_zip(path, layout.files, "/" if form == "zip" else "\\")
    train, test = load(path), load(path, "test")
    assert counts(train) == layout.train
    assert counts(test) == layout.test
    assert count_classes(str(path)) == (len(layout.train) if isinstance(layout.train, dict) else 0)
    assert list_images(str(path)).passed_over == layout.passed_over
    assert any(layout.warned in warning for warning in train.warnings) if layout.warned else train.warnings == []
    assert_levels(train, 0)
    if test:
        assert_levels(test, HELD_OUT)


def assert_levels(image_set, brighter):
    """Assert that every image has the grey level of its class, plus `brighter`."""
    assert ((image_set.images >= HELD_OUT) == bool(brighter)).all()
    for label, name in enumerate(image_set.classes):
        of_class = image_set.images[image_set.labels == label].unique().tolist()
        known = {"cat": CAT, "dog": DOG, "owl": OWL, "0": CAT, "1": DOG}
        if name in known and image_set.num_classes < 10:
            assert of_class == [known[name] + brighter]
        elif name.isdigit() and image_set.num_classes == 12:
            assert of_class == [int(name)]


def test_classes_that_are_numbers_keep_their_order(tmp_path):
    write_files(tmp_path, {f"{k}/{i}.png": k for k in (10, 9, 100, 0, 11, 2) for i in range(2)})
    image_set = load(tmp_path)
    assert image_set.classes == ["0", "2", "9", "10", "11", "100"]
    assert [image_set.images[image_set.labels == k].unique().item() for k in range(6)] == [0, 2, 9, 10, 11, 100]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (pets(".") | {"stray.png": 1}, r"stray.png is next to class folders"),
        (pets("train") | {"train/stray.png": 1}, r"train/stray.png is next to class folders"),
        (pets("test"), r"there are test images, but no images in a folder `train`"),
        (pets("val/x"), r"there are test images, but no images in a folder `train`"),
        (
            images("cat/train", 1) | images("cat/test", 1) | images("dog", 1),
            r"the folder cat is divided into splits, but dog/0.png is not in a split",
        ),
        ({"a.avif": b"", "b.avif": b"", "c.tar.gz": b""}, r"there is no image in it(?s:.*)2 .avif, 1 .gz"),
    ],
)
@pytest.mark.parametrize("write", [write_files, write_zip])
def test_unclear_layout_is_refused_by_name(tmp_path, files, message, write):
    with pytest.raises(UserError, match=rf"^path=\S+: {message}"):
        load(write(tmp_path / "set", files))


def test_directory_of_zips_says_how_to_read_one(tmp_path):
    write_zip(tmp_path / "set" / "archive.zip", pets("."))
    with pytest.raises(UserError, match=r"To read a zip, give its own path, such as \S+archive.zip"):
        load(tmp_path / "set")


def test_linked_directories_are_followed(tmp_path):
    write_files(tmp_path / "elsewhere", pets("."))
    (tmp_path / "set").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "elsewhere" / name)
    (tmp_path / "set" / "dog" / "up").symlink_to(tmp_path / "set")  # a circle of links
    (tmp_path / "set" / "dog" / "self").symlink_to(tmp_path / "elsewhere" / "dog")
    (tmp_path / "set" / "cat" / "gone.png").symlink_to(tmp_path / "nothing.png")
    listing = list_images(str(tmp_path / "set"))
    assert listing.classes == ["cat", "dog"]
    assert listing.names == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png", "dog/2.png"]
    assert listing.passed_over == {"linked to nothing": 1, "linked to a directory that contains the link": 2}
    assert [image.unique().item() for image in load(tmp_path / "set").images] == [CAT, CAT, DOG, DOG, DOG]


def test_circle_of_links_ends(tmp_path):
    write_files(tmp_path / "set", pets("."))
    for name in ("cat", "dog"):
        (tmp_path / "set" / name / "all").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "round").symlink_to(tmp_path / "set")
    listing = list_images(str(tmp_path / "set"))
    assert len(listing.names) == 5
    assert listing.passed_over == {"linked to a directory that contains the link": 3}


def age(directory):
    """Set the times of all files and directories to a distant past, so that the listing is cached."""
    for path in [directory, *directory.rglob("*")]:
        os.utime(path, (1e9, 1e9))


def test_changed_directory_is_listed_anew(tmp_path):
    write_files(tmp_path / "set", pets("."))
    age(tmp_path / "set")
    assert list_images(str(tmp_path / "set")).labels == [0, 0, 1, 1, 1]
    write_files(tmp_path / "set", images("cat", CAT, 4))
    assert list_images(str(tmp_path / "set")).labels == [0, 0, 0, 0, 1, 1, 1]
    write_files(tmp_path / "set", images("owl", OWL))
    assert count_classes(str(tmp_path / "set")) == 3


def test_one_name_in_two_working_directories(tmp_path, monkeypatch):
    for name, files in (("here", pets(".")), ("there", images("a", 1) | images("b", 1) | images("c", 1))):
        age(write_files(tmp_path / name / "set", files))
        monkeypatch.chdir(tmp_path / name)
        assert count_classes("set") == len(list_images("set").classes) == (2 if name == "here" else 3)


def test_describe_shows_what_was_found(tmp_path):
    layout = LAYOUTS["three splits"].files | {"train/cat/a.avif": b""}
    write_zip(tmp_path / "set.zip", layout)
    done = ganexp("describe", "data=folder", "data.path=set.zip", "data.resolution=16", "metrics=none", cwd=tmp_path)
    data = json.loads(done.stdout)["data"]
    assert data["classes"] == 2
    assert data["images"] == {"train": TWO, "test": HELD}
    assert data["passed_over"] == {".avif": 1, "of the val split": 8}
    assert data["warnings"] == []


def test_describe_warns_of_classes_called_as_splits(tmp_path):
    write_files(tmp_path / "set", images("Train_images", CAT) | images("Test_images", DOG))
    done = ganexp("describe", "data=folder", "data.path=set", "data.resolution=16", "metrics=none", cwd=tmp_path)
    (warning,) = json.loads(done.stdout)["data"]["warnings"]
    assert "give the folders of the splits the names train and test" in warning


def test_split_is_decoded_by_its_own_names(tmp_path):
    write_zip(tmp_path / "set.zip", pets("train") | images("test/dog", DOG + HELD_OUT, 3), "\\")
    test = load(tmp_path / "set.zip", "test").match_classes(load(tmp_path / "set.zip").classes)
    assert test.classes == ["cat", "dog"]
    assert torch.equal(test.labels, torch.tensor([1, 1, 1]))


def test_png_that_is_another_format_is_not_read(tmp_path, caplog):
    write_files(tmp_path, {"good.png": 1})
    Image.new("RGB", (4, 4)).save(tmp_path / "script.png", format="EPS")
    assert len(load(tmp_path)) == 1
    assert "script.png: cannot identify" in caplog.text


def test_zip_is_opened_as_often_for_many_images(tmp_path, monkeypatch):
    opened = []
    original = zipfile.ZipFile.__init__
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda self, *a, **k: opened.append(a) or original(self, *a, **k))
    numbers = []
    for count in (3, 60):
        path = write_zip(tmp_path / f"{count}.zip", images("", CAT, count))
        opened.clear()
        assert len(load(path)) == count
        numbers.append(len(opened))
    assert numbers[0] == numbers[1]
