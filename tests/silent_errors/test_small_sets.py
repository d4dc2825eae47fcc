"""Datasets that are too small for the settings are refused before anything is computed or written."""

import json
from pathlib import Path

import pytest
from helpers.cli import ganexp
from helpers.images import photo

from ganexp import build

pytestmark = pytest.mark.slow

BASE = (
    "data=folder",
    "data.resolution=8",
    "trainer=cpu",
    "schedule.steps=1",
    "schedule.evaluate_every=1",
    "schedule.batch_size=2",
    "model=mlp",
    "loss=hinge",
    "metrics=classifier",
    "metrics.extractor.updates=2",
    "metrics.samples=60",
    "callbacks=none",
    "logger=none",
    "hydra.run.dir=run",
)


def write(directory: Path, counts: dict[str, int]) -> None:
    """Write the given number of noisy images of each class."""
    for name, count in counts.items():
        for index in range(count):
            photo(directory / name / f"{index}.png", (8, 8))


def refused(cwd: Path, *overrides: str) -> str:
    """Return the error of a training that is refused before anything is computed or written."""
    build._read_source.cache_clear()
    done = ganexp(*BASE, *overrides, f"metrics.cache={cwd / 'cache'}", cwd=cwd, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (cwd / "run").exists()
    assert not (cwd / "cache").exists()
    return done.stderr


@pytest.mark.parametrize(
    ("counts", "overrides", "message"),
    [
        ({"common": 60, "single": 1}, (), "class single has 1 in the train split"),
        (
            {"train/x": 30, "train/y": 30, "test/x": 9, "test/y": 1},
            ("metrics.references=[test]",),
            "class y has 1 in the t",
        ),
        ({"many": 97, "few": 3}, ("metrics.samples=20",), "class few has 1 of 20: use metrics.samples=67 or more"),
        ({"a": 8, "b": 8}, ("model.conditional=false",), "these samples have no labels"),
    ],
)
def test_intra_fid_of_small_classes(tmp_path, counts, overrides, message):
    write(tmp_path / "set", counts)
    scores = ("metrics/score=[fid,intra_fid]", "model.conditional=true", "metrics.splits=1")
    assert message in refused(tmp_path, "data.path=set", *scores, *overrides)


@pytest.mark.parametrize("counts", [{"a": 4, "b": 4}, {"one": 1, "two": 2, "six": 6}])
def test_classifier_of_fewer_than_ten_images(tmp_path, counts):
    write(tmp_path / "set", counts)
    error = refused(tmp_path, "data.path=set", "metrics/score=[is]", "metrics.best_by=is")
    assert f"at least 10 images, and there are {sum(counts.values())}: add images" in error


def test_classifier_of_ten_images_is_trained(tmp_path):
    write(tmp_path / "set", {"a": 5, "b": 5})
    build._read_source.cache_clear()
    ganexp(*BASE, "data.path=set", "metrics/score=[fid]", cwd=tmp_path)


@pytest.mark.parametrize(
    ("score", "overrides", "message"),
    [
        ("diversity", (), "diversity needs 2 real images, and the test split has 1"),
        ("neighbours", (), "neighbours needs 6 real images, and the test split has 1"),
        ("kid", (), "kid needs 2 real images, and the test split has 1"),
        ("fid_infinity", ("metrics.samples=29",), "fid_infinity needs 30 generated images or more"),
        (
            "is",
            ("metrics.samples=7", "metrics.splits=4"),
            "is needs 8 generated images or more, 2 in each of the splits (splits=4)",
        ),
        ("fid", ("metrics.fid_at=[1]", "metrics.references=[train]"), "metrics.fid_at=[1]: must be"),
    ],
)
def test_scores_of_few_images(tmp_path, score, overrides, message):
    write(tmp_path / "set", {"train/a": 10, "train/b": 10, "test/a": 1})
    settings = (f"metrics/score=[{score}]", "metrics.splits=1", "metrics.references=[train,test]")
    assert message in refused(tmp_path, "data.path=set", *settings, *overrides)


@pytest.mark.parametrize("count", [10, 19])
def test_few_given_images_are_scored_in_fewer_splits(tmp_path, count):
    for number in range(count):
        photo(tmp_path / "few" / f"{number}.png", (8, 8))
    metrics = ("metrics=classifier", "metrics.extractor.updates=1")
    given = ("evaluate", "images=few", "data=digits", *metrics, "trainer=cpu")
    done = ganexp(*given, "output=scores", "metrics/score=[is,fid,kid]", cwd=tmp_path)
    assert f"± standard deviation over {count // 2} splits: is_classifier" in done.stdout
    record = json.loads((tmp_path / "scores" / "scores.json").read_text())
    assert record["protocol"]["scores"]["is"] == {"splits": count // 2}
    for refused, reason in (
        (["metrics.scores.is.splits=10"], "is needs 20 generated images or more"),
        (["metrics/score=[fid_infinity]"], "fid_infinity needs 30 generated images or more"),
    ):
        error = ganexp(*given, *refused, cwd=tmp_path, check=False).stderr
        assert f"images=few has {count} images: metrics.scores.{reason}" in error
        assert "metrics.samples" not in error
