"""Train, evaluate and sample on the command line: what a run leaves in its directory, and how other commands use it."""

import json
import shutil

import pytest
import torch
from helpers.cli import ganexp, small_run
from helpers.config import TINY
from helpers.images import photo, stl10_files
from omegaconf import OmegaConf
from torchvision.io import read_image

from ganexp.config.composition import IS_HYDRA_1_3
from ganexp.report.collect import collect
from ganexp.runs.run_directory import HYDRA_FILES, RunDirectory

pytestmark = pytest.mark.slow

SINGLE = (
    "is",
    "accuracy",
    "distance",
    "distance_within",
    "distance_between",
    "class_diversity",
)  # scores that need only the samples
PAIRED = ("fid", "kid", "precision", "recall", "density", "coverage")  # scores that need real images, too


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train a small run once for the tests in this file; return the run's directory and the printed output."""
    return small_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def run(trained):
    """Return the directory of the small run."""
    return trained[0]


def test_run_directory_is_complete(run):
    files = [file for file in run.rglob("*") if file.is_file() and "tfevents" not in file.name]
    assert {str(file.relative_to(run)) for file in files if not file.name.startswith(".")} == {
        "config.yaml",
        *(f".hydra/{name}" for name in HYDRA_FILES),
        "run.json",
        "run.log",
        "metrics.jsonl",
        "curves.png",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "samples/interpolation-linear.png",
        "samples/interpolation-spherical.png",
        "samples/real.png",
        "samples/real-and-generated.png",
        "samples/training.gif",
        *(f"samples/step-{step:07d}.png" for step in (0, 3, 6)),
    }


def test_hydra_directory_is_no_run_of_its_own(run):
    assert [found.path for found in collect([run.parents[2]])] == [run]
    assert OmegaConf.load(run / ".hydra" / "overrides.yaml") == RunDirectory(run).metadata()["overrides"]


def test_hydra_files_compose_the_same_run(run, tmp_path):
    """Hydra 1.4 reruns a run with the settings in these files."""
    settings = OmegaConf.load(run / ".hydra" / "hydra.yaml").hydra
    overrides = [*settings.overrides.hydra, *OmegaConf.load(run / ".hydra" / "overrides.yaml")]
    done = ganexp("--config-name", settings.job.config_name, "--cfg", "job", *overrides, cwd=tmp_path)
    assert OmegaConf.create(done.stdout) == OmegaConf.load(run / ".hydra" / "config.yaml")


@pytest.mark.skipif(IS_HYDRA_1_3, reason="Hydra 1.3 reruns a run from a pickle file, which ganexp does not write")
def test_hydra_reruns_a_run_directory(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    ganexp("--experimental-rerun", "run", cwd=tmp_path)
    assert RunDirectory(tmp_path / "run-2").metadata()["scores"] == RunDirectory(run).metadata()["scores"]


def test_run_json_tells_what_ran_and_its_scores(trained):
    run, done = trained
    metadata = RunDirectory(run).metadata()
    assert metadata["status"] == "finished"
    assert metadata["name"] == "digits-mlp-wgan_gp"
    assert torch.__version__.startswith(metadata["versions"]["torch"])
    assert metadata["device"]
    assert metadata["groups"]["loss"] == "wgan_gp"
    assert metadata["scores"]["last"]["step"] == 6
    assert metadata["scores"]["best"]["fid_classifier"] <= metadata["scores"]["last"]["fid_classifier"]
    assert metadata["score_info"]["fid_classifier"]["higher_is_better"] is False
    assert metadata["score_info"]["is_classifier_std"]["spread_of"] == "is_classifier"
    assert 0 < metadata["extractor"]["classifier_test_accuracy"] <= 1
    assert "best" in done.stdout
    assert "fid_classifier" in done.stdout


def test_metrics_count_steps_updates_and_images(run):
    points = RunDirectory(run).points()
    losses = [point for point in points if "loss/generator" in point]
    assert [point["step"] for point in losses] == [1, 2, 3, 4, 5, 6]
    assert [point["axis/d_steps"] for point in losses] == [5, 10, 15, 20, 25, 30]
    assert [point["axis/images"] for point in losses] == [640 * step for step in range(1, 7)]
    seconds = [point["axis/seconds"] for point in losses]
    assert seconds == sorted(seconds)
    assert [point["step"] for point in points if "score/fid_classifier" in point] == [0, 3, 6]


def test_resume_of_a_finished_run_does_nothing(run, tmp_path):
    checkpoint = run / "checkpoints" / "last.ckpt"
    before = checkpoint.read_bytes()
    assert "nothing to do" in ganexp("resume", str(run), cwd=tmp_path).stdout
    assert checkpoint.read_bytes() == before


def test_evaluate_scores_against_both_splits(run, tmp_path):
    done = ganexp("evaluate", f"ckpt={run}", "samples=60", f"output={tmp_path}", cwd=tmp_path)
    assert "fid_classifier" in done.stdout
    record = json.loads((tmp_path / "scores.json").read_text())
    names = {f"{name}_classifier" for name in SINGLE}
    names |= {f"{name}_classifier{split}" for name in PAIRED for split in ("", "_test")}
    spreads = {"is_classifier_std", "kid_classifier_std", "kid_classifier_test_std"}
    assert set(record["scores"]) == names | spreads
    assert {name for name, info in record["score_info"].items() if "spread_of" in info} == spreads
    assert record["protocol"]["samples"] == 60
    references = record["protocol"]["references"]
    assert {split: reference["images"] for split, reference in references.items()} == {"train": 1438, "test": 359}


def test_evaluate_takes_the_scores_that_are_chosen(run, tmp_path):
    arguments = ("metrics/score=[is,fid]", "references=[train]", "samples=60", f"output={tmp_path}")
    ganexp("evaluate", f"ckpt={run}", *arguments, cwd=tmp_path)
    record = json.loads((tmp_path / "scores.json").read_text())
    assert set(record["scores"]) == {"is_classifier", "is_classifier_std", "fid_classifier"}


def test_sample_writes_images_and_grids_once(run, tmp_path):
    arguments = ("sample", f"ckpt={run / 'checkpoints' / 'last.ckpt'}", "n=12", "output=drawn")
    ganexp(*arguments, cwd=tmp_path)
    assert len(list((tmp_path / "drawn" / "images").rglob("*.png"))) == 12
    grid = read_image(str(tmp_path / "drawn" / "grid.png"))
    assert grid.shape == (3, 3 * 50 + 2, 4 * 50 + 2)  # twelve images in rows of four
    assert (tmp_path / "drawn" / "classes.png").exists()
    again = ganexp(*arguments, cwd=tmp_path, check=False)
    assert again.returncode == 1
    assert "is not empty" in again.stderr


def test_parent_of_a_run_is_answered_with_the_run(run, tmp_path):
    for arguments in (
        ("resume", str(run.parent)),
        ("sample", f"ckpt={run.parent}"),
    ):
        assert f"Did you mean {run}?" in ganexp(*arguments, cwd=tmp_path, check=False).stderr


def test_sweep_of_evaluations_leaves_no_files_of_hydra(run, tmp_path):
    arguments = ("-m", f"ckpt={run}", "seed=1,2", "samples=60", "references=[train]", "output=scores-${seed}")
    ganexp("evaluate", *arguments, cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores-1", "scores-2"]
    drawn = ganexp("sample", "-m", f"ckpt={run},nowhere", "n=4", "output=drawn", cwd=tmp_path, check=False)
    assert drawn.returncode == 1
    assert "no such checkpoint" in drawn.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drawn", "scores-1", "scores-2"]


def test_images_score_as_the_checkpoint_that_drew_them(run, tmp_path):
    ganexp("sample", f"ckpt={run}", "n=60", "seed=1000", "output=drawn", cwd=tmp_path)
    ganexp("evaluate", f"ckpt={run}", "seed=1000", "samples=60", "labels=uniform", "output=a", cwd=tmp_path)
    cache = run.parents[2] / "cache"  # holds the classifier of the run
    arguments = ("trainer=cpu", "metrics.extractor.updates=20", f"metrics.cache={cache}", "output=b")
    shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path / "drawn" / "images")
    expected = json.loads((tmp_path / "a" / "scores.json").read_text())
    for images in ("drawn/images", "zipped.zip"):
        ganexp("evaluate", f"images={images}", *arguments, cwd=tmp_path)
        scored = json.loads((tmp_path / "b" / "scores.json").read_text())
        assert set(scored["scores"]) == set(expected["scores"])  # the directories give the classes
        for name in set(scored["scores"]) - {"is_classifier_std"}:  # this score depends on the order of the images
            value = scored["scores"][name]
            assert value == pytest.approx(expected["scores"][name], rel=1e-3, abs=1e-6), name
        assert scored["protocol"]["references"] == expected["protocol"]["references"]


def test_real_images_score_against_the_other_splits(tmp_path):
    arguments = ("trainer=cpu", "metrics.extractor.updates=20", "metrics/score=[fid]")
    done = ganexp("evaluate", "real=test", "output=real", *arguments, cwd=tmp_path)
    assert "359 samples against 1,438 images (train) of digits" in done.stdout
    scored = json.loads((tmp_path / "real" / "scores.json").read_text())
    assert list(scored["protocol"]["references"]) == ["train"]
    same = ganexp("evaluate", "real=train", "metrics.references=[train]", *arguments, cwd=tmp_path)
    assert "1,438 samples against 1,438 images (train)" in same.stdout  # the given split is used
    other = ganexp("evaluate", "real=train", *arguments, cwd=tmp_path)
    assert "1,438 samples against 359 images (test)" in other.stdout
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["images=none"], "none: no such directory or zip"),
        (["images=a", "real=test"], "either images="),
        (["real=test", "metrics=none"], "use metrics=classifier"),
        (["real=test", "data=folder", "data.path=pictures", "metrics=classifier"], "no such split"),
        (["images=few"], "at least 10 images are needed to score, and there are 3"),
        (
            ["images=pictures"],
            "0.png: this image has 40x30 pixels, and must have 8x8.\nResizing",
        ),
        (
            ["images=mixed", "real=same"],
            "z.png: this image has 9x9 pixels, and must have 8x8.\nResizing",
        ),
        (["images=same", "real=mixed"], "z.png: this image has 9x9 pixels, and must have 8x8.\ndata.source.fit=exact"),
        (["real=test", "metrics/score=[fid,lpips]"], "metrics/score has: accuracy, diversity"),
    ],
)
def test_images_that_cannot_be_scored_are_refused(tmp_path, arguments, message):
    for name in ("a", "b"):
        for number in range(2):
            photo(tmp_path / "pictures" / name / f"{number}.png", (40, 30))
    for number in range(3):
        photo(tmp_path / "few" / f"{number}.png", (8, 8))
    for number in range(10):
        photo(tmp_path / "same" / f"{number}.png", (8, 8))
        photo(tmp_path / "mixed" / f"{number}.png", (8, 8))
    photo(tmp_path / "mixed" / "z.png", (9, 9))
    done = ganexp("evaluate", *arguments, "trainer=cpu", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_stl10_is_read_from_binary_files(tmp_path):
    stl10_files(tmp_path / "data", train=16)
    narrow = ("model.generator.width=4", "model.discriminator.width=4", "schedule.evaluate_every=4")
    pictures = ("callbacks=sample_grids", "metrics.grid_rows=2", "metrics.grid_columns=2")
    root = f"data.root={tmp_path / 'data'}"
    done = ganexp("loss=hinge", "data=stl10", root, *TINY, *pictures, *narrow, cwd=tmp_path)
    (path,) = (tmp_path / "outputs" / "stl10-dcgan-hinge").iterdir()
    assert (path / "samples" / "step-0000004.png").exists()
    assert "is not the published file" in done.stderr


def test_diverged_run_fails_with_the_reason(tmp_path):
    rates = ("loss=least_squares", "optimizer.generator.lr=1e30", "optimizer.discriminator.lr=1e30")
    done = ganexp(*TINY, *rates, "schedule.steps=40", "schedule.evaluate_every=20", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "The run diverged" in done.stderr
    assert "Traceback" not in done.stderr
    (path,) = (tmp_path / "outputs" / "digits-mlp-least_squares").iterdir()
    assert RunDirectory(path).metadata()["status"] == "failed"


def test_taken_directory_gets_a_number(tmp_path):
    short = (*TINY, "schedule.steps=1", "schedule.evaluate_every=1")
    for seed in (1, 2):
        ganexp(*short, f"seed={seed}", "hydra.run.dir=same", cwd=tmp_path)
    for seed, name in ((1, "same"), (2, "same-2")):
        assert RunDirectory(tmp_path / name).metadata()["status"] == "finished"
        assert f"seed={seed}" in OmegaConf.load(tmp_path / name / ".hydra" / "overrides.yaml")
    refused = ganexp(*TINY, "schedule.batch_size=9999", "hydra.run.dir=same", cwd=tmp_path, check=False)
    assert refused.returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["same", "same-2"]


def test_workers_feed_the_same_images_as_memory(tmp_path):
    weights = []
    for in_memory in ("true", "false"):
        path = tmp_path / f"in_memory_{in_memory}"
        ganexp(*TINY, f"data.in_memory={in_memory}", "data.flip=true", f"hydra.run.dir={path}", cwd=tmp_path)
        weights.append(torch.load(path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
