"""The zip file of a run is complete, overwrites no other file, and can be used on another machine."""

import json
import os
import re
import zipfile

import pytest
from helpers.cli import ganexp
from helpers.runs import make_run

from ganexp.errors import UserError
from ganexp.loaded_run import find_checkpoint
from ganexp.report.bundle import bundle
from ganexp.report.collect import collect

SMALL = (
    "schedule.steps=4",
    "schedule.evaluate_every=2",
    "schedule.batch_size=8",
    "trainer.log_every=1",
    "metrics.samples=40",
    "metrics.extractor.updates=5",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train a small run and return its directory."""
    cwd = tmp_path_factory.mktemp("bundle")
    ganexp(*SMALL, "name=small", f"metrics.cache={cwd / 'cache'}", cwd=cwd)
    (path,) = (cwd / "outputs" / "small").iterdir()
    return path


def unpacked(archive):
    """Return the content of each file in a bundle; the keys are the paths without the top directory."""
    with zipfile.ZipFile(archive) as file:
        return {name.split("/", 1)[1]: file.read(name) for name in file.namelist()}


@pytest.mark.slow
def test_bundle_holds_all_but_the_weights(trained):
    result = ganexp("report", "--bundle", str(trained), cwd=trained)
    path = trained.parent / f"small-{trained.name}.zip"
    assert result.stdout.strip() == str(path)
    with pytest.raises(UserError, match="unpack the zip file, and give the run directory in it"):
        find_checkpoint(str(path), "ckpt")
    files = unpacked(path)
    assert {name for name in files if not name.startswith("samples/")} == {
        "MODEL_CARD.md",
        "environment.json",
        "config.yaml",
        "run.json",
        "metrics.jsonl",
        "curves.png",
    }
    assert {f"samples/step-{step:07d}.png" for step in (0, 2, 4)} <= files.keys()
    assert {"samples/interpolation-linear.png", "samples/interpolation-spherical.png"} <= files.keys()
    assert json.loads(files["environment.json"])["versions"]["torch"]


@pytest.mark.slow
def test_report_reads_what_training_leaves(trained):
    (run,) = collect([trained])
    assert (run.status, run.name, run.seed, run.last_step) == ("finished", "small", 0, 4)
    assert re.fullmatch(r"[0-9a-f]{8}", run.protocol_id)
    assert {"fid_classifier", "is_classifier"} <= run.scores["best"].keys()
    assert run.score_info["fid_classifier"].higher_is_better is False
    assert run.score_info["is_classifier"].higher_is_better is True
    curves = {curve.kind: curve for curve in run.curves}
    assert curves["loss"].axes["step"] == [1, 2, 3, 4]
    assert curves["score"].axes["step"] == curves["logit"].axes["step"] == [0, 2, 4]
    assert "score/fid_classifier" in curves["score"].values
    assert "d_logit/fake" in curves["logit"].values
    ganexp("report", str(trained), cwd=trained.parent)
    assert (trained / "report" / "index.html").exists()


@pytest.mark.slow
def test_bundle_with_checkpoint_samples_elsewhere(trained, tmp_path):
    ganexp("report", "--bundle", str(trained), "checkpoint=true", f"output={tmp_path}", cwd=tmp_path)
    (path,) = tmp_path.glob("*.zip")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    ganexp("sample", "ckpt=.", "n=4", "accelerator=cpu", cwd=path.with_suffix(""))  # as the model card says
    assert list((path.with_suffix("") / "samples").rglob("drawn*"))


def test_bundle_overwrites_nothing(tmp_path, hinge):
    run = make_run(tmp_path / "run", hinge)
    before = bundle(run).read_bytes()
    with pytest.raises(UserError, match="already exists"):
        bundle(run)
    assert (tmp_path / "run.zip").read_bytes() == before


def test_bundle_is_complete_or_does_not_exist(tmp_path, hinge, monkeypatch):
    run = make_run(tmp_path / "run", hinge)
    os.utime(run / "config.yaml", (0, 0))  # a zip has no times before 1980
    with monkeypatch.context() as patched:
        patched.setattr("ganexp.report.bundle.model_card", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bundle(run)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert {"config.yaml", "run.json", "MODEL_CARD.md"} <= unpacked(bundle(run)).keys()


def test_bundle_refuses_links_to_other_places(tmp_path, hinge):
    run = make_run(tmp_path / "run", hinge, pictures=True)
    (tmp_path / "secret.png").write_text("secret")
    (run / "samples" / "step-0000001.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(UserError, match=r"step-0000001\.png is a link to"):
        bundle(run)
    assert not list(tmp_path.glob("*.zip"))


def test_bundle_refuses_what_is_no_readable_run(tmp_path):
    run = make_run(tmp_path / "run", "a: [")
    with pytest.raises(UserError, match="not readable"):
        bundle(run)


def test_model_card_has_scores_protocol_and_origin(tmp_path, hinge):
    protocol = {"extractor": "classifier", "samples": 100, "id": "0a1b2c3d"}
    run = make_run(tmp_path / "run", hinge, 3, 21.5, protocol=protocol, ganexp_dirty=True)
    card = unpacked(bundle(run))["MODEL_CARD.md"].decode()
    for expected in (
        "| fid_classifier | lower | 22.5 | 21.5 | 21.5 |",
        "| is_classifier | higher |",
        "| is_classifier_std |  | 0.1 |",
        "extractor = classifier; samples = 100; id = 0a1b2c3d",
        "| loss.adversarial | Hinge |",
        "ganexp loss=hinge",
        "Commit 7917fe4 (with uncommitted changes)",
        "on digits (train, 8 pixels",
        "1,000 steps",
        "seed 3 ",
        "has no weights",
        "- Warning: uncommitted changes",
    ):
        assert expected in card


@pytest.mark.parametrize("score_info", [None, "x", {"fid_classifier": {"higher_is_better": "<b>"}}])
def test_model_card_without_score_info_has_no_direction(tmp_path, hinge, score_info):
    run = make_run(tmp_path / "run", hinge, score_info=score_info)
    assert "| fid_classifier |  | 21 | 20 | 20 |" in unpacked(bundle(run))["MODEL_CARD.md"].decode()
