"""The command line as a user meets it: real processes in empty folders."""

import json
import resource
import shutil
import subprocess
import sys

import pytest
import torch
from helpers.cli import ganexp
from helpers.config import TINY
from helpers.images import photo, stl10_files
from torchvision.io import read_image

import ganexp as package

SMALL = (
    "schedule.steps=6", "schedule.evaluate_every=3", "trainer.log_every=1", "metrics.samples=100",
    "metrics.extractor.updates=20",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small run of the main job, once for this file."""
    cwd = tmp_path_factory.mktemp("run")
    done = ganexp(*SMALL, "model.conditional=true", f"metrics.cache={cwd / 'cache'}", cwd=cwd)
    (folder,) = (cwd / "outputs" / "digits-mlp-wgan_gp").iterdir()
    return folder, done


def test_run_folder_is_complete(run):
    folder, done = run
    found = [p for p in folder.rglob("*") if p.is_file() and "tfevents" not in p.name and p.name[0] != "."]
    files = {str(p.relative_to(folder)) for p in found}
    assert files == {
        "config.yaml", "run.json", "metrics.jsonl", "curves.png",
        "checkpoints/best.ckpt", "checkpoints/last.ckpt", "samples/interpolation-linear.png",
        "samples/interpolation-spherical.png", *(f"samples/step-{s:07d}.png" for s in (0, 3, 6)),
    }  # fmt: skip
    facts = json.loads((folder / "run.json").read_text())
    assert facts["status"] == "finished"
    assert facts["name"] == "digits-mlp-wgan_gp"
    assert (
        facts["versions"]["torch"] == torch.__version__.split("+")[0] or facts["versions"]["torch"] == torch.__version__
    )
    assert facts["device"]
    assert facts["scores"]["last"]["step"] == 6
    assert facts["scores"]["best"]["fid_classifier"] <= facts["scores"]["last"]["fid_classifier"]
    assert 0 < facts["extractor"]["classifier_test_accuracy"] <= 1
    assert "best" in done.stdout
    assert "fid_classifier" in done.stdout


def test_metrics_have_one_vocabulary(run):
    rows = [json.loads(line) for line in (run[0] / "metrics.jsonl").read_text().splitlines()]
    losses = [row for row in rows if "loss/generator" in row]
    assert [row["step"] for row in losses] == [1, 2, 3, 4, 5, 6]
    assert [row["axis/d_steps"] for row in losses] == [5, 10, 15, 20, 25, 30]
    assert [row["axis/images"] for row in losses] == [640 * s for s in range(1, 7)]
    seconds = [row["axis/seconds"] for row in losses]
    assert seconds == sorted(seconds)
    assert [row["step"] for row in rows if "score/fid_classifier" in row] == [0, 3, 6]


def test_evaluate_and_sample(run, tmp_path):
    folder, _ = run
    done = ganexp("evaluate", f"ckpt={folder}", "samples=60", f"output={tmp_path}", cwd=tmp_path)
    assert "fid_classifier" in done.stdout
    record = json.loads((tmp_path / "scores.json").read_text())
    names = {name.removesuffix("_test") for name in record["scores"]}
    single = {f"{name}_classifier" for name in ("is", "accuracy", "distance", "distance_within", "distance_between")}
    paired = {"fid", "kid", "precision", "recall", "density", "coverage"}
    assert names == single | {f"{name}_classifier" for name in paired} | {
        "kid_classifier_test_std",
        "kid_classifier_std",
        "is_classifier_std",
    }
    assert record["protocol"]["samples"] == 60
    references = record["protocol"]["references"]
    assert {split: real["images"] for split, real in references.items()} == {"train": 1438, "test": 359}
    words = ("sample", f"ckpt={folder / 'checkpoints' / 'last.ckpt'}", "n=12", f"output={tmp_path / 'drawn'}")
    ganexp(*words, cwd=tmp_path)
    assert len(list((tmp_path / "drawn" / "images").glob("*.png"))) == 12
    drawn = read_image(str(tmp_path / "drawn" / "grid.png"))
    assert drawn.shape == (3, 3 * 50 + 2, 4 * 50 + 2)  # twelve, in rows of four
    assert (tmp_path / "drawn" / "classes.png").exists()
    again = ganexp(*words, cwd=tmp_path, check=False)
    assert again.returncode == 1
    assert "is not empty" in again.stderr


def test_resume_of_a_finished_run_does_nothing(run, tmp_path):
    before = (run[0] / "checkpoints" / "last.ckpt").read_bytes()
    assert "nothing to do" in ganexp("resume", str(run[0]), cwd=tmp_path).stdout
    assert (run[0] / "checkpoints" / "last.ckpt").read_bytes() == before


def test_help_answers_without_torch(tmp_path):
    words = [sys.executable, "-m", "ganexp", "--help"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2  # the machine may be busy elsewhere
    assert "ganexp resume RUN" in done.stdout
    code = "import sys; from ganexp import cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert not list(tmp_path.iterdir())


def test_version(tmp_path):
    assert ganexp("--version", cwd=tmp_path).stdout == f"ganexp {package.__version__}\n"


def test_hydras_own_flags(tmp_path):
    done = ganexp("train", "loss=hinge", "--cfg", "job", cwd=tmp_path)
    assert "ganexp.losses.Hinge" in done.stdout
    mine = tmp_path / "mine" / "loss"
    mine.mkdir(parents=True)
    (mine / "mine.yaml").write_text(
        "logits: 1\nadversarial: {_target_: ganexp.losses.Hinge}\npenalties: {}\nconstraint: null\n"
    )
    told = ganexp("describe", "--config-dir", "mine", "loss=mine", cwd=tmp_path)
    assert json.loads(told.stdout)["loss"]["name"] == "Hinge"
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ganexp loss=hi", "loss=hinge"),
        ("ganexp describe model=", "model=dcgan"),
        ("ganexp schedule.st", "schedule.steps="),
    ],
)
def test_tab_completion(tmp_path, monkeypatch, line, expected):
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    assert expected in ganexp("-sc", "query=bash", cwd=tmp_path).stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trian"], "There is no command 'trian'"),
        (["los=hinge"], "los: there is no such setting.\nThere are: data, experiment, loss,"),
        (["loss=hing"], "loss=hing: there is no such option.\nloss has: cramer, hinge,"),
        (["loss=hing"], "Did you mean loss=hinge?"),
        (["experiment=cifar10_2"], "Did you mean experiment=sagan/cifar10_2"),
        (["schedule/lr_decay=null"], "schedule/lr_decay has linear; leave the word out"),
        (["schedule/lr_decays=linear"], "Did you mean schedule/lr_decay"),
        (["loss=hinge", "loss.probabilities=true"], "changes cross-entropies, and this loss is none"),
        (["experiment=g_loss/cifar10_hinge", "as_published=g_loss"], "leave it (and as_published=g_loss) out"),
        (
            ["model=dcgan", "model.generator.hiden=1", "model.discriminator.wide=2"],
            "model.generator has: channels",
        ),
        (["sample", "ckpt=a", "loss=hinge"], "There are: accelerator, ckpt, format"),
        (["describe", "as_published=textbook", "model=sagan"], "as_published=textbook is meant for"),
        (["schedul.steps=3"], "Did you mean schedule"),
        (["describe", "estimat=true"], "Did you mean estimate?"),
        (["evaluate", "cktp=a"], "Did you mean ckpt?"),
        (["sweep.resume=nowhere"], "sweep.resume=nowhere: no sweep there"),
        (["sweep.prune=true", "metrics=none"], "sweep.prune=true compares scores"),
        (["schedule.steps=many"], "could not be converted to Integer"),
        (["seed=abc"], "could not be converted to Integer"),
        (["schedule.stepss=3"], "Did you mean schedule.steps"),
        (["data=folder"], "Missing value: data.path=…"),
        (["data=folder", "data.path=nowhere"], "no such directory or zip"),
        (["schedule.steps=1000", "schedule.evaluate_every=300"], "use schedule.steps=900"),
        (["trainer=gpu"], "trainer.accelerator=gpu"),
        (["schedule.batch_size=5000", "metrics=none"], "use schedule.batch_size=1438 or less"),
        (["evaluate"], "Missing value: ckpt=…"),
        (["evaluate", "ckpt=nowhere"], "no checkpoint there"),
        (["sample", "ckpt=nowhere"], "no checkpoint there"),
        (["resume", "nowhere"], "nowhere is no run folder"),
        (["resume"], "usage: ganexp resume RUN_FOLDER"),
        (["loss=hinge", "data=stl10"], "stl10_binary/train_X.bin"),
        (["data=fake", "metrics=inception"], "metrics.weights=FILE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_end_in_a_few_lines(tmp_path, words, expected):
    if words == ["trainer=gpu"] and torch.cuda.is_available():
        pytest.skip("there is a GPU here, so asking for one is no mistake")
    done = ganexp(*words, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 20
    if words == ["loss=hinge", "data=stl10"]:
        assert len(done.stderr.splitlines()) <= 10
    assert not list(tmp_path.iterdir())


def test_the_folder_of_runs_is_named_for_a_run(run, tmp_path):
    folder, _ = run
    runs = folder.parent
    for words in (("resume", str(runs)), ("sample", f"ckpt={runs}"), ("evaluate", f"ckpt={runs}")):
        assert f"Did you mean {folder}?" in ganexp(*words, cwd=tmp_path, check=False).stderr


def test_settings_of_metrics_want_metrics(run, tmp_path):
    folder, _ = run
    told = ganexp("evaluate", f"ckpt={folder}", "metrics.samples=40", cwd=tmp_path, check=False)
    assert "metrics.samples=40: name the metrics, too" in told.stderr


def test_the_command_may_follow_a_flag(tmp_path):
    mine = tmp_path / "mine" / "loss"
    mine.mkdir(parents=True)
    (mine / "quadratic.yaml").write_text("adversarial: {_target_: ganexp.losses.LeastSquares}\n")
    told = ganexp("--config-dir", "mine", "describe", "loss=quadratic", cwd=tmp_path)
    assert json.loads(told.stdout)["loss"]["name"] == "LeastSquares"


def test_an_option_of_ones_own_is_suggested(tmp_path):
    mine = tmp_path / "mine" / "loss"
    mine.mkdir(parents=True)
    (mine / "quadratic.yaml").write_text("adversarial: {_target_: ganexp.losses.Hinge}\n")
    done = ganexp("--config-dir", "mine", "loss=quadratc", cwd=tmp_path, check=False)
    assert "Did you mean loss=quadratic?" in done.stderr


def test_a_hint_belongs_to_its_cause(tmp_path):
    """Where files are missing, nothing else is."""
    words = ("experiment=ac_wgan_gp/cifar10", "as_published=ac_wgan_gp", f"data.root={tmp_path}")
    done = ganexp(*words, cwd=tmp_path, check=False)
    assert "cifar-10-python.tar.gz" in done.stderr
    assert "model=dcgan" not in done.stderr
    assert "is meant for" not in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("defaults: [override /data: mnist]\n", "the first line of its YAML is\n# @package _global_"),
        ("# @package _global_\nseed: [1\n", "case.yaml, line 3: "),
        ("# @package _global_\ndefaults: [/experiment/sagan/cifar10_99]\n", "sagan/cifar10_2"),
    ],
)
def test_mistakes_in_a_case_of_ones_own(tmp_path, text, expected):
    mine = tmp_path / "mine" / "experiment"
    mine.mkdir(parents=True)
    (mine / "case.yaml").write_text(text)
    done = ganexp("--config-dir", "mine", "experiment=case", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) <= 10


def test_an_experiments_choice_is_taken_away(tmp_path):
    told = ganexp("describe", "experiment=wgan_gp/cifar10", "~schedule/lr_decay", cwd=tmp_path)
    assert json.loads(told.stdout)["lr_decay"] is None
    with_it = ganexp("describe", "experiment=wgan_gp/cifar10", cwd=tmp_path)
    assert json.loads(with_it.stdout)["lr_decay"] is not None


def test_stl10_from_binary_files(tmp_path):
    stl10_files(tmp_path / "data", train=16)
    narrow = ("model.generator.width=4", "model.discriminator.width=4")
    done = ganexp("loss=hinge", "data=stl10", f"data.root={tmp_path / 'data'}", *TINY, *narrow, cwd=tmp_path)
    (folder,) = (tmp_path / "outputs" / "stl10-dcgan-hinge").iterdir()
    assert (folder / "samples" / "step-0000004.png").exists()
    assert "is not the published file" in done.stderr


def test_diverged_run_stops_and_says_so(tmp_path):
    words = ("loss=least_squares", "optimizer.generator.lr=1e30", "optimizer.discriminator.lr=1e30")
    done = ganexp(*TINY, *words, "schedule.steps=40", "schedule.evaluate_every=20", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "The run diverged" in done.stderr
    assert "Traceback" not in done.stderr
    (folder,) = (tmp_path / "outputs" / "digits-mlp-least_squares").iterdir()
    assert json.loads((folder / "run.json").read_text())["status"] == "failed"


def test_a_folder_is_never_taken_twice(tmp_path):
    for _ in range(2):
        ganexp(*TINY, "hydra.run.dir=same", cwd=tmp_path)
    assert (tmp_path / "same" / "run.json").exists()
    assert (tmp_path / "same-2" / "run.json").exists()


def test_workers_feed_the_same_run(tmp_path):
    weights = []
    for in_memory in ("true", "false"):
        ganexp(
            *TINY,
            f"data.in_memory={in_memory}",
            "data.flip=true",
            f"hydra.run.dir=in_memory_{in_memory}",
            cwd=tmp_path,
        )
        saved = torch.load(tmp_path / f"in_memory_{in_memory}" / "checkpoints" / "last.ckpt", weights_only=True)
        weights.append(saved["state_dict"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_folder_or_zip_of_images_is_scored_with_the_same_ruler(run, tmp_path):
    """What `sample` wrote, scored as images, scores what the checkpoint does: the same pictures, the same numbers."""
    folder, _ = run
    ganexp("sample", f"ckpt={folder}", "n=60", "seed=1000", "output=drawn", cwd=tmp_path)
    ganexp("evaluate", f"ckpt={folder}", "seed=1000", "samples=60", "output=a", cwd=tmp_path)
    cache = folder.parents[2] / "cache"  # the classifier of the run
    words = ("trainer=cpu", "metrics.extractor.updates=20", f"metrics.cache={cache}")
    shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path / "drawn" / "images")
    expected = json.loads((tmp_path / "a" / "scores.json").read_text())
    for images in ("drawn/images", "zipped.zip"):
        ganexp("evaluate", f"images={images}", "output=b", *words, cwd=tmp_path)
        scored = json.loads((tmp_path / "b" / "scores.json").read_text())
        for name, value in scored["scores"].items():
            assert value == pytest.approx(expected["scores"][name], rel=1e-3, abs=1e-6), name
        assert scored["protocol"]["references"] == expected["protocol"]["references"]
        assert set(scored["scores"]) == set(expected["scores"]) - {"accuracy_classifier"}


def test_real_images_are_scored_too(tmp_path):
    words = ("trainer=cpu", "metrics.extractor.updates=20", "metrics.splits=2")
    done = ganexp("evaluate", "real=test", "output=real", *words, cwd=tmp_path)
    assert "359 samples against 1,438 images (train) of digits" in done.stdout
    scored = json.loads((tmp_path / "real" / "scores.json").read_text())
    assert list(scored["protocol"]["references"]) == ["train"]
    same = ganexp("evaluate", "real=train", "metrics.references=[train]", *words, cwd=tmp_path)
    assert "1,438 samples against 1,438 images (train)" in same.stdout  # what is asked for is what is done
    other = ganexp("evaluate", "real=train", *words, cwd=tmp_path)
    assert "1,438 samples against 359 images (test)" in other.stdout
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["images=none"], "images=none: no such directory or zip"),
        (["images=a", "real=test"], "one of: images=FOLDER"),
        (["real=test", "metrics=none"], "use metrics=classifier"),
        (["real=test", "data=folder", "data.path=pictures", "metrics=classifier"], "no such split"),
        (["images=few"], "3 images are too few"),
        (["images=pictures"], "an image of 40x30 pixels, where all must have 8x8"),
        (["real=test", "metrics.scores=[fid,lpips]"], "use some of is, fid, kid, neighbours"),
    ],
)
def test_images_that_cannot_be_scored(tmp_path, words, message):
    for name in ("a", "b"):
        for number in range(2):
            photo(tmp_path / "pictures" / name / f"{number}.png", (40, 30))
    for number in range(3):
        photo(tmp_path / "few" / f"{number}.png", (8, 8))
    done = ganexp("evaluate", *words, "trainer=cpu", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
