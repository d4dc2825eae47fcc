"""Labels are shown with the names of their classes, and results that were cached for other labels are not used."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.cli import ganexp
from PIL import Image

from ganexp import build

pytestmark = pytest.mark.slow

IMAGES = ("data=folder", "data.resolution=8", "trainer=cpu")
RUN = (
    *IMAGES,
    "schedule.steps=1",
    "schedule.evaluate_every=1",
    "schedule.batch_size=4",
    "model=mlp",
    "loss=hinge",
    "callbacks=none",
    "logger=none",
)
SCORED = (*IMAGES, "metrics=classifier", "metrics.extractor.updates=60", "metrics/score=[accuracy]")


@pytest.fixture(autouse=True)
def read_anew():
    """Forget the images that were read, because a user's next command would be a new process."""
    build._read_source.cache_clear()


def fill(directory: Path, count: int, brightness: int) -> None:
    """Write `count` noisy images of about the given brightness."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(brightness)
    for index in range(count):
        pixels = np.clip(brightness + rng.normal(0, 20, (8, 8, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(directory / f"{index:03}.png")


def recorded_accuracy(cwd: Path, name: str) -> float:
    """Score the training images, and return the recorded test accuracy of the classifier."""
    build._read_source.cache_clear()
    ganexp("evaluate", "real=train", *SCORED, f"data.path={name}", "metrics.cache=cache", "output=scores", cwd=cwd)
    return json.loads((cwd / "scores" / "scores.json").read_text())["protocol"]["classifier_test_accuracy"]


def test_accuracy_follows_the_test_split(tmp_path):
    """The test images are first all dark, then dark and light, then in swapped classes, and finally missing."""
    for split, count in (("train", 30), ("test", 10)):
        fill(tmp_path / "set" / split / "dark", count, 50)
        fill(tmp_path / "set" / split / "light", count, 200)
    fill(tmp_path / "set" / "test" / "light", 10, 50)
    assert recorded_accuracy(tmp_path, "set") == 0.5
    fill(tmp_path / "set" / "test" / "light", 10, 200)
    assert recorded_accuracy(tmp_path, "set") == 1
    (tmp_path / "set" / "test" / "dark").rename(tmp_path / "set" / "test" / "between")
    (tmp_path / "set" / "test" / "light").rename(tmp_path / "set" / "test" / "dark")
    (tmp_path / "set" / "test" / "between").rename(tmp_path / "set" / "test" / "light")
    assert recorded_accuracy(tmp_path, "set") == 0
    weights = list((tmp_path / "cache" / "classifiers").iterdir())
    assert len(weights) == 1  # the training images were the same all the time
    (tmp_path / "set" / "test").rename(tmp_path / "elsewhere")
    assert recorded_accuracy(tmp_path, "set") == 1
    assert len(list((tmp_path / "cache" / "classifiers").iterdir())) == 2  # a tenth of the images is held out now


@pytest.fixture
def numbered(tmp_path):
    """Train a run on twelve classes whose names are numbers; return the directory that holds the run."""
    for number in range(12):
        fill(tmp_path / "set" / str(number), 3, 20 * number)
    ganexp(*RUN, "metrics=none", "model.conditional=true", "data.path=set", "hydra.run.dir=run", cwd=tmp_path)
    return tmp_path


def test_one_class_is_drawn_by_name(numbered):
    drawn = ganexp("sample", "ckpt=run", "n=3", "label=10", "output=ten", cwd=numbered)
    assert "3 images (png) of class 10 (label 10)" in drawn.stdout
    ganexp("sample", "ckpt=run", "n=24", "output=all", "format=npz", cwd=numbered)
    ganexp("sample", "ckpt=run", "n=3", "label=10", "output=npz", "format=npz", cwd=numbered)
    files = sorted((numbered / "ten" / "images" / "10").iterdir())
    with np.load(numbered / "npz" / "images.npz") as one, np.load(numbered / "all" / "images.npz") as every:
        assert one["arr_1"].tolist() == [10, 10, 10]
        assert one["classes"].tolist() == every["classes"].tolist() == [str(number) for number in range(12)]
        assert np.array_equal(one["arr_0"], [np.asarray(Image.open(file)) for file in files])
        assert every["arr_1"].tolist() == [*range(12), *range(12)]
    assert not (numbered / "ten" / "classes.png").exists()


@pytest.mark.parametrize(
    ("names", "directories"), [(("owl", "cat", "dog"), {"owl": "owl", "0": "cat"}), (("2", "10", "1"), {"10": "10"})]
)
def test_images_of_a_class_lie_in_its_directory(tmp_path, names, directories):
    for place, name in enumerate(names):
        fill(tmp_path / "set" / name, 4, 60 * place)
    ganexp(*RUN, "metrics=none", "model.conditional=true", "data.path=set", "hydra.run.dir=run", cwd=tmp_path)
    earlier = set()
    for label, directory in directories.items():
        ganexp("sample", "ckpt=run", "n=2", f"label={label}", cwd=tmp_path)
        (drawn,) = set((tmp_path / "run" / "samples").glob("drawn-*")) - earlier
        assert [path.name for path in (drawn / "images").iterdir()] == [directory]
        earlier.add(drawn)
    ganexp("sample", "ckpt=run", "n=3", "output=all", cwd=tmp_path)
    assert sorted(path.name for path in (tmp_path / "all" / "images").iterdir()) == sorted(names)
    unknown = ganexp("sample", "ckpt=run", "label=7", "output=none", cwd=tmp_path, check=False)
    assert "label=7: no such class. Classes: " in unknown.stderr
    assert not (tmp_path / "none").exists()


def test_label_of_an_unconditional_run_is_refused(tmp_path):
    fill(tmp_path / "set" / "a", 4, 60)
    fill(tmp_path / "set" / "b", 4, 160)
    ganexp(*RUN, "metrics=none", "data.path=set", "hydra.run.dir=run", cwd=tmp_path)
    refused = ganexp("sample", "ckpt=run", "label=a", cwd=tmp_path, check=False)
    assert "label=a: this run is not conditional" in refused.stderr
    ganexp("sample", "ckpt=run", "n=2", "output=all", cwd=tmp_path)
    assert sorted(path.name for path in (tmp_path / "all" / "images").iterdir()) == ["0.png", "1.png"]
