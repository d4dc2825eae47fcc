"""A run packed to be handed on: nothing missing, nothing overwritten, and another machine can draw from it."""

import json
import re
import zipfile

import pytest
from helpers.cli import ganexp
from helpers.runs import make_run, template

from ganexp.report.collect import collect

SMALL = ("schedule.steps=4", "schedule.evaluate_every=2", "schedule.batch_size=8", "trainer.log_every=1",
         "metrics.samples=40", "metrics.extractor.updates=5")  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("bundle")
    ganexp(*SMALL, "name=small", f"metrics.cache={cwd / 'cache'}", cwd=cwd)
    (folder,) = (cwd / "outputs" / "small").iterdir()
    return folder


def test_a_bundle_holds_the_run_but_for_the_weights(run):
    done = ganexp("report", "--bundle", str(run), cwd=run)
    path = run.parent / f"small-{run.name}.zip"
    assert done.stdout.strip() == str(path)
    with zipfile.ZipFile(path) as archive:
        names = {name.removeprefix(f"small-{run.name}/") for name in archive.namelist()}
        environment = json.loads(archive.read(f"small-{run.name}/environment.json"))
    assert names == {
        "MODEL_CARD.md", "environment.json", "config.yaml", "run.json", "metrics.jsonl", "curves.png",
        "samples/interpolation-linear.png", "samples/interpolation-spherical.png",
        *(f"samples/step-{step:07d}.png" for step in (0, 2, 4)),
    }  # fmt: skip
    assert environment["versions"]["torch"]
    again = ganexp("report", "--bundle", str(run), cwd=run, check=False)
    assert again.returncode == 1
    assert "is there already" in again.stderr


def test_what_training_leaves_is_what_the_report_reads(run):
    (found,) = collect([run])
    assert (found.status, found.name, found.seed, found.last_step) == ("finished", "small", 0, 4)
    assert re.fullmatch(r"[0-9a-f]{8}", found.protocol_id)
    assert {"fid_classifier", "is_classifier"} <= found.scores["best"].keys()
    losses, scores = found.curves
    assert losses["axes"]["step"] == [1, 2, 3, 4]
    assert scores["axes"]["step"] == [0, 2, 4]
    assert {"score/fid_classifier", "d_logit/fake"} <= scores["values"].keys()
    ganexp("report", str(run), cwd=run.parent)
    assert (run / "report" / "index.html").exists()


def test_another_machine_draws_from_a_bundle_with_its_checkpoint(run, tmp_path):
    ganexp("report", "--bundle", str(run), "checkpoint=true", f"output={tmp_path}", cwd=tmp_path)
    (path,) = tmp_path.glob("*.zip")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    ganexp("sample", "ckpt=.", "n=4", "accelerator=cpu", cwd=path.with_suffix(""))  # as the card says
    assert list((path.with_suffix("") / "samples").rglob("drawn*"))


def test_the_card_tells_scores_protocol_and_origin(tmp_path):
    protocol = {"extractor": "classifier", "samples": 100, "id": "0a1b2c3d"}
    folder = make_run(tmp_path / "run", template("loss=hinge"), 3, 21.5, protocol=protocol, git_dirty=True)
    ganexp("report", "--bundle", str(folder), cwd=tmp_path)
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        card = archive.read("run/MODEL_CARD.md").decode()
    for words in (
        "| fid_classifier | lower | 21.5 | 22.5 |",
        "extractor = classifier; samples = 100; id = 0a1b2c3d",
        "| loss.adversarial | Hinge |",
        "ganexp loss=hinge",
        "Commit 7917fe4 (with changes)",
        "on digits (train, 8 pixels",
        "1,000 steps",
        "seed 3,",
        "holds no weights",
        "- Warning: git tree was dirty",
    ):
        assert words in card
