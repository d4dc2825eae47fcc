"""Classes are matched by name between splits, and between a dataset and the images that are scored against it."""

import json

import numpy as np
import pytest
import torch
from helpers.cli import ganexp
from helpers.config import config
from helpers.images import encoded, write_files, write_zip
from PIL import Image

from ganexp.build import build_image_set
from ganexp.data import sets
from ganexp.errors import UserError

pytestmark = pytest.mark.slow

LEVELS = {"a": 20, "b": 120, "c": 220}
RANDOM = np.random.default_rng(0)
TRAINING = (
    "schedule.steps=1",
    "schedule.evaluate_every=1",
    "schedule.batch_size=4",
    "model=mlp",
    "loss=hinge",
    "callbacks=none",
    "logger=none",
    "metrics.samples=40",
    "metrics/score=[fid]",
)
METRICS = ("data.resolution=8", "trainer=cpu", "metrics=classifier", "metrics.extractor.updates=60", "metrics.splits=2")


def noisy(folder, names, count=12):
    """Return PNGs of 8x8 pixels, keyed by path; `names` maps each folder to the class that its images show."""
    files = {}
    for name, looks_as in names.items():
        for number in range(count):
            pixels = LEVELS[looks_as] + RANDOM.integers(-15, 16, (8, 8, 3))
            files[f"{folder}/{name}/{number}.png"] = encoded(Image.fromarray(pixels.astype(np.uint8)), "PNG")
    return files


def same(text):
    return {name: name for name in text}


def load(path, split):
    return sets.folder("", split, 8, 3, path=str(path))


@pytest.mark.parametrize(
    ("test", "labels"),
    [
        (same("bc"), [1, 2]),
        (same("c"), [2]),
        (same("abc"), [0, 1, 2]),
        ({"C": "c", "a": "a"}, [2, 0]),
    ],
)
def test_classes_of_the_test_split_are_those_of_training(tmp_path, test, labels):
    write_files(tmp_path, noisy("train", same("abc")) | noisy("test", test, 5))
    train, held_out = load(tmp_path, "train"), load(tmp_path, "test")
    matched = held_out.match_classes(train.classes)
    assert matched.classes == train.classes == ["a", "b", "c"]
    assert sorted(matched.labels.unique().tolist()) == sorted(labels)
    for label, name in enumerate(train.classes):
        mean = matched.images[matched.labels == label].double().mean().item()
        assert np.isnan(mean) or mean == pytest.approx(LEVELS[name], abs=3)
    assert matched.class_counts == [5 if label in labels else 0 for label in range(3)]


def test_difference_in_case_is_said(tmp_path):
    write_files(tmp_path, noisy("train", same("ab")) | noisy("test", {"A": "a", "b": "b"}, 2))
    matched = load(tmp_path, "test").match_classes(["a", "b"])
    assert matched.notes == ["class names differ in case: A means a"]


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ({"a": "a", "x": "b"}, "the class x is not among the classes a, b, c"),
        ({"x": "a", "y": "b", "c": "c"}, "the classes x, y are not among the classes a, b, c"),
        ({"A": "a", "a": "a", "b": "b"}, "the classes A and a mean the same class, a"),
    ],
)
def test_other_classes_of_a_test_split_are_refused(tmp_path, test, message):
    write_files(tmp_path, noisy("train", same("abc"), 2) | noisy("test", test, 2))
    with pytest.raises(UserError, match=message):
        load(tmp_path, "test").match_classes(load(tmp_path, "train").classes)
    done = ganexp("train", "data=folder", "data.path=.", *METRICS, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert not list(tmp_path.glob("outputs/*/*"))


def test_single_folder_that_is_no_class_has_no_labels(tmp_path):
    write_files(tmp_path, noisy("train", same("abc"), 2) | noisy("test", {"unknown": "a"}, 2))
    held_out = load(tmp_path, "test")
    assert held_out.labels is None
    assert held_out.warnings == [
        "folder unknown of the test split is not a class of the training split: the test split has no labels."
    ]
    cfg = config("data=folder", f"data.path={tmp_path}", "data.resolution=8")
    assert build_image_set(cfg).labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert build_image_set(cfg, "test").labels is None


def test_classifier_is_tested_on_the_right_classes(tmp_path):
    write_files(tmp_path, noisy("train", same("abc"), 20) | noisy("test", same("bc"), 10))
    done = ganexp("data=folder", "data.path=.", *METRICS, *TRAINING, cwd=tmp_path)
    assert "classifier test accuracy: 100.00%" in done.stdout
    assert "test split: 20 images in 3 classes: a 0, b 10, c 10" in done.stdout


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("data"), noisy("pets", same("abc"), 20)) / "pets"


def scored(tmp_path, dataset, files, check=True):
    """Score the images in `files`, and return the finished command and the scores."""
    write_zip(tmp_path / "samples.zip", files)
    settings = ("data=folder", f"data.path={dataset}", "metrics/score=[fid,accuracy]", "output=scores", *METRICS)
    done = ganexp("evaluate", f"images={tmp_path / 'samples.zip'}", *settings, cwd=tmp_path, check=check)
    path = tmp_path / "scores" / "scores.json"
    return done, json.loads(path.read_text())["scores"] if path.exists() else {}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"A": "a", "B": "b", "C": "c"}, "class names differ in case: A means a, B means b, C means c"),
        (same("bc"), "there are no images of a, unlike in the dataset"),
        (same("c"), "there are no images of a, b, unlike in the dataset"),
    ],
)
def test_class_directories_of_samples_are_matched_by_name(tmp_path, dataset, names, said):
    done, scores = scored(tmp_path, dataset, noisy("s", names))
    assert said in done.stdout
    assert scores["accuracy_classifier"] == 1


@pytest.mark.parametrize(("folder", "said"), [("", "no class directories"), ("drawn/", "drawn is not a class")])
def test_samples_without_class_directories_have_no_accuracy(tmp_path, dataset, folder, said):
    files = {f"{folder}{name.replace('/', '_')}": content for name, content in noisy("s", same("abc")).items()}
    done, scores = scored(tmp_path, dataset, files)
    assert said in done.stdout
    assert list(scores) == ["fid_classifier"]


def test_class_directories_with_other_names_are_refused(tmp_path, dataset):
    done, scores = scored(tmp_path, dataset, noisy("s", {"a": "a", "zebra": "b"}), check=False)
    assert done.returncode == 1
    assert "samples.zip: the class zebra is not among the classes a, b, c" in done.stderr
    assert "Name the directories after the classes" in done.stderr
    assert not scores


def test_directories_that_sample_has_drawn_are_its_classes(tmp_path):
    names = {"b:c": "a", "last.": "b"}  # on some systems, directories cannot have these names
    dataset = write_files(tmp_path, noisy("pets", names, 20)) / "pets"
    settings = ("data=folder", f"data.path={dataset}", *METRICS)
    ganexp(*settings, *TRAINING, "model.conditional=true", "hydra.run.dir=run", cwd=tmp_path)
    ganexp("sample", "ckpt=run", "n=12", "output=drawn", cwd=tmp_path)
    assert {path.name for path in (tmp_path / "drawn" / "images").iterdir()} == {"b%3Ac", "last%2E"}
    done = ganexp("evaluate", "images=drawn/images", *settings, "metrics/score=[fid,accuracy]", cwd=tmp_path)
    assert "accuracy_classifier" in done.stdout


def test_labels_of_an_archive_are_names(tmp_path):
    files = noisy("train", same("abc"), 2)
    order = sorted(files)
    labels = {"labels": [[name.removeprefix("train/"), 10 - 5 * (index // 2)] for index, name in enumerate(order)]}
    held_out = {"labels": [["0.png", 5]]}
    files |= {"train/dataset.json": json.dumps(labels).encode(), "test/0.png": files["train/b/0.png"]}
    write_files(tmp_path, files | {"test/dataset.json": json.dumps(held_out).encode()})
    train = load(tmp_path, "train")
    assert train.classes == ["0", "5", "10"]
    means = [train.images[train.labels == label].double().mean().item() for label in range(3)]
    assert means == pytest.approx([220, 120, 20], abs=5)
    assert torch.equal(load(tmp_path, "test").match_classes(train.classes).labels, torch.tensor([1]))
