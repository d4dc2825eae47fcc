"""The options of `debug=`: a quick run that leaves no files, a short run without scores, overfitting, and a profile."""

import json

import pytest
import torch
from helpers.cli import ganexp
from helpers.config import TINY, config, raw_config
from helpers.states import last_checkpoint, logged_points

from ganexp.build import build_image_set, build_stream
from ganexp.config import schema

SCORED = ("metrics=classifier", "metrics.extractor.updates=10")
EVERY_SCORE = "metrics/score=[is,fid,accuracy,kid,neighbours,diversity,fid_interval,fid_infinity,intra_fid]"


def test_every_option_composes_on_every_schedule():
    for option in ("fast_dev_run", "limit", "overfit", "profiler"):
        for overrides in ((), ("experiment=sagan/cifar10_0",), ("experiment=sngan/cifar10",)):
            schema.resolve(raw_config(*overrides, f"debug={option}"))
    usual = {"keep_files": True, "keep_scores": True, "repeat_first_batch": False, "dry_run": False}
    assert config().debug == usual


def test_settings_take_precedence_over_the_option():
    assert config("debug=limit", "schedule.steps=50").schedule.steps == 50


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("hydra.run.dir=mine/run", "metrics=none")])
def test_fast_dev_run_leaves_nothing_but_says_so(tmp_path, words):
    narrow = ("metrics.extractor.network.width=4", "metrics.extractor.network.max_width=8")
    callbacks = "callbacks=[sample_grids,interpolations,progress]"  # no curves: drawing one of each score takes long
    scored = (*SCORED, EVERY_SCORE, *narrow, callbacks, "model.conditional=true")
    done = ganexp("debug=fast_dev_run", *(words or scored), cwd=tmp_path)
    assert "debug.keep_files=false" in done.stdout
    assert "no run directory is left" in done.stdout
    assert "step 2/2" in done.stdout
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not (tmp_path / "outputs").exists()
    assert not (tmp_path / "mine" / "run").exists()


@pytest.mark.slow
def test_fast_dev_run_that_fails_leaves_nothing_either(tmp_path):
    nan = "optimizer.discriminator.lr=1e30"
    failed = ganexp("debug=fast_dev_run", "metrics=none", "loss=wgan_gp", nan, cwd=tmp_path, check=False)
    assert failed.returncode == 1
    assert "The run diverged" in failed.stderr
    assert "no run directory is left" not in failed.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_fast_dev_run_is_refused_in_a_sweep(tmp_path):
    words = ("-m", "debug=fast_dev_run", "metrics=none", "loss=hinge,wgan", "hydra.sweep.dir=sweep")
    refused = ganexp(*words, cwd=tmp_path, check=False)
    assert refused.returncode == 1
    assert "debug.keep_files=false: a sweep needs the files of its jobs" in refused.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_limited_run_has_files_but_no_scores(tmp_path):
    done = ganexp("debug=limit", *SCORED, "loss.n_critic=1", "callbacks=progress", "hydra.run.dir=run", cwd=tmp_path)
    assert "run.json gets no scores" in done.stdout
    run = tmp_path / "run"
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"last.ckpt"}
    metadata = json.loads((run / "run.json").read_text())
    assert metadata["status"] == "finished"
    assert metadata["scores"] == {}
    assert metadata["objective"] is None
    assert metadata["groups"]["debug"] == "limit"
    assert [point["step"] for point in logged_points(run) if "loss/generator" in point] == [5, 10, 15, 20]
    assert last_checkpoint(run)["ganexp"]["step"] == 20


@pytest.mark.slow
def test_profiler_leaves_a_report_in_the_run_directory(tmp_path):
    ganexp(*TINY, "debug=profiler", "hydra.run.dir=run", cwd=tmp_path)
    report = (tmp_path / "run" / "fit-profile.txt").read_text()
    assert "run_training_batch" in report
    assert "training_step" in report


def test_overfit_trains_on_the_first_batch_only():
    plain, overfit = config(), config("debug=overfit")
    streams = [build_stream(cfg, build_image_set(cfg), torch.device("cpu")) for cfg in (plain, overfit)]
    first = next(streams[0]).images
    assert all(torch.equal(next(streams[1]).images, first) for _ in range(3))
    assert not torch.equal(next(streams[0]).images, first)
