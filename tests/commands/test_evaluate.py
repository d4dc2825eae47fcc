"""`ganexp evaluate` on a small run: scores of each class, diagnostics, other metrics, and the user's own extractor."""

import json
import shutil

import numpy as np
import pytest
from helpers.cli import ganexp
from helpers.config import TINY
from PIL import Image

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("run")
    overrides = ("model.conditional=true", "metrics=classifier", "metrics.extractor.updates=20", "metrics.samples=60")
    ganexp(*TINY, "callbacks=default", *overrides, "hydra.run.dir=run", cwd=cwd)
    return cwd / "run"


def test_run_logs_logits_and_protocol(run):
    points = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    logits = [point["step"] for point in points if {"d_logit/train", "d_logit/test", "d_logit/fake"} <= point.keys()]
    assert logits == [0, 2, 4]
    metadata = json.loads((run / "run.json").read_text())
    protocol = metadata["protocol"]
    assert (protocol["samples"], protocol["weights"], protocol["seed"]) == (60, "raw", 10_000)
    assert protocol["references"]["train"]["images"] == 1438
    assert metadata["score_info"]["fid_classifier"] == {
        "higher_is_better": False,
        "plot_scale": "log",
        "fewest_images": 5_000,
    }
    assert metadata["score_info"]["is_classifier_std"]["spread_of"] == "is_classifier"


def test_protocol_has_the_batch_size_that_the_images_depend_on(tmp_path):
    ids = set()
    one_step = ("schedule.steps=1", "schedule.evaluate_every=1")
    for size in (20, 30):
        model = ("model=dcgan_mnist", "model.generator.batch_statistics_only=true", f"metrics.batch_size={size}")
        metrics = ("metrics=classifier", "metrics.extractor.updates=20", "metrics.samples=60", "metrics/score=[fid]")
        ganexp(*TINY, *model, *metrics, *one_step, f"hydra.run.dir=run{size}", cwd=tmp_path)
        ganexp("evaluate", f"ckpt=run{size}/checkpoints/last.ckpt", "metrics/score=[fid]", cwd=tmp_path)
        files = [tmp_path / f"run{size}" / name for name in ("run.json", "scores-last.json")]
        protocols = [json.loads(file.read_text())["protocol"] for file in files]
        assert [protocol["drawn_together"] for protocol in protocols] == [size, size]
        ids |= {protocol["id"] for protocol in protocols}
    assert len(ids) == 4  # the two commands have different references, and the two runs have different batch sizes


def test_evaluate_scores_by_class_and_plots_diagnostics(run, tmp_path):
    scores = "metrics/score=[fid,accuracy,fid_interval,fid_infinity,intra_fid,diversity]"
    text = ganexp("evaluate", f"ckpt={run}", f"output={tmp_path}", scores, cwd=tmp_path).stdout
    assert "1,438 were searched" in text
    record = json.loads((tmp_path / "scores.json").read_text())
    scores = record["scores"]
    assert scores["fid_classifier_low"] < scores["fid_classifier"] < scores["fid_classifier_high"]
    assert scores["intra_fid_classifier"] == pytest.approx(np.mean(record["by_class"]["fid"]))
    assert {"accuracy", "share", "fid"} <= record["by_class"].keys()
    assert 0 <= record["d_logit"]["train_above_test"] <= 1
    own = json.loads((run / "run.json").read_text())["protocol"]
    assert record["protocol"]["id"] != own["id"]  # the references differ
    for name in ("nearest.png", "diagnostics.png"):
        assert Image.open(tmp_path / name).size[0] > 300


def test_evaluate_equals_the_runs_own_score_on_its_latents(run, tmp_path):
    """Latents, metrics and checkpoint are the same, so the scores of training and evaluation must agree."""
    overrides = (f"ckpt={run / 'checkpoints' / 'last.ckpt'}", "seed=10000", "references=[train]", f"output={tmp_path}")
    ganexp("evaluate", *overrides, cwd=tmp_path)
    evaluated = json.loads((tmp_path / "scores-last.json").read_text())["scores"]
    logged = json.loads((run / "run.json").read_text())["scores"]["last"]
    for name in ("fid_classifier", "is_classifier", "is_classifier_std", "accuracy_classifier"):
        assert evaluated[name] == pytest.approx(logged[name], rel=1e-6)


def test_evaluations_of_several_checkpoints_are_kept(run, tmp_path):
    """The files of an evaluation of last.ckpt have other names than the files of an evaluation of best.ckpt."""
    shutil.copytree(run, tmp_path / "run")
    for ckpt in ("run", "run/checkpoints/last.ckpt"):
        done = ganexp("evaluate", f"ckpt={ckpt}", "samples=40", "metrics/score=[fid]", cwd=tmp_path)
        assert "which are replaced" not in done.stdout
    names = {f"{name}{ending}" for name in ("nearest", "diagnostics") for ending in (".png", "-last.png")}
    assert names | {"scores.json", "scores-last.json"} <= {file.name for file in (tmp_path / "run").iterdir()}
    fewer = ganexp("evaluate", "ckpt=run", "samples=30", "metrics/score=[kid]", cwd=tmp_path)
    assert "run/scores.json had other scores, which are replaced: fid_classifier " in fewer.stdout


@pytest.fixture(scope="module")
def run_on_the_test_split(tmp_path_factory):
    """Train a small run without scores on the test split, and return its directory."""
    cwd = tmp_path_factory.mktemp("test-split")
    ganexp(*TINY, "data.split=test", "logger=csv", "hydra.run.dir=run", cwd=cwd)
    return cwd / "run"


@pytest.mark.parametrize("references", ["[train]", "[test]", "[test,train]"])
def test_run_on_another_split_is_evaluated(run_on_the_test_split, tmp_path, references):
    """The evaluation succeeds with any references, although the run was not trained on the split `train`."""
    run = shutil.copytree(run_on_the_test_split, tmp_path / "run")
    metrics = ("metrics=classifier", "metrics.extractor.updates=5", "metrics/score=[fid]", "samples=40")
    done = ganexp("evaluate", f"ckpt={run}", *metrics, f"references={references}", cwd=tmp_path).stdout
    kind = "training images" if "test" in references else "images of the train split"
    assert f"nearest {kind}" in done
    assert (run / "diagnostics-classifier-last.png").exists()


def test_evaluate_with_other_metrics_than_the_runs_own(run, tmp_path):
    overrides = ("evaluate", f"ckpt={run}", f"output={tmp_path}", "metrics=classifier", "metrics/score=[is,fid]")
    ganexp(*overrides, "metrics.extractor.updates=5", "metrics.samples=40", cwd=tmp_path)
    assert not (tmp_path / "scores.json").exists()
    record = json.loads((tmp_path / "scores-classifier.json").read_text())
    own = json.loads((run / "run.json").read_text())["protocol"]
    assert record["protocol"]["samples"] == 40
    assert record["protocol"]["extractor"] == own["extractor"] == "classifier"
    assert record["protocol"]["weights_sha256"] != own["weights_sha256"]
    refused = ganexp(*overrides, "metrics.samples=4", cwd=tmp_path, check=False)
    assert "metrics.samples=4" in refused.stderr
    assert refused.returncode == 1


OWN_EXTRACTORS = """
import torch

class Corner(torch.nn.Module):
    def forward(self, images):
        return images[:, 0, 2:5, 2:5].flatten(1).float()

class Flat(torch.nn.Module):
    def forward(self, images):
        return images.float()
"""


def test_users_own_extractor(tmp_path, monkeypatch):
    (tmp_path / "my_extractor.py").write_text(OWN_EXTRACTORS)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "conf" / "metrics").mkdir(parents=True)
    for name in ("Corner", "Flat"):
        text = f"samples: 40\nextractor: {{_target_: my_extractor.{name}}}\n"
        (tmp_path / "conf" / "metrics" / f"{name.lower()}.yaml").write_text(text)
    overrides = ["--config-dir=conf", *(word for word in TINY if word != "metrics=none")]
    ganexp(*overrides, "metrics=corner", "metrics/score=[fid]", "hydra.run.dir=own", cwd=tmp_path)
    metadata = json.loads((tmp_path / "own" / "run.json").read_text())
    assert metadata["scores"]["last"]["fid_corner"] > 0
    refused = ganexp("evaluate", "ckpt=own", "metrics/score=[fid]", cwd=tmp_path, check=False)
    assert "GANEXP_TRUST=my_extractor" in refused.stderr
    monkeypatch.setenv("GANEXP_TRUST", "my_extractor")
    assert "fid_corner" in ganexp("evaluate", "ckpt=own", "metrics/score=[fid]", cwd=tmp_path).stdout
    ganexp(*overrides, "metrics=none", "hydra.run.dir=unscored", cwd=tmp_path)
    refused = ganexp("evaluate", "ckpt=unscored", cwd=tmp_path, check=False)
    assert "Choose metrics: metrics=classifier" in refused.stderr
    ganexp("evaluate", "--config-dir=conf", "ckpt=unscored", "metrics=corner", "metrics/score=[fid]", cwd=tmp_path)
    assert json.loads((tmp_path / "unscored" / "scores-corner-last.json").read_text())["scores"]["fid_corner"] > 0
    for name, message in (("flat", "it returned a tensor of shape [2, 1, 8, 8]"), ("corner", "logits")):
        refused = ganexp(*overrides, f"metrics={name}", "hydra.run.dir=other", cwd=tmp_path, check=False)
        assert message in refused.stderr
        assert not (tmp_path / "other").exists()
