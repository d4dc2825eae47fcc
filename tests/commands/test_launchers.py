"""Points of a sweep in processes of their own, and chosen by a search."""

import json
import os
import shutil

import pytest
from helpers.cli import ganexp
from helpers.sweeps import FAST, QUICK, contents, table
from omegaconf import OmegaConf


def test_joblib(tmp_path, monkeypatch):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    words = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=swept")
    done = ganexp("-m", "seed=range(3)", "schedule.batch_size=8,9999", *QUICK, *words, cwd=tmp_path, check=False)
    assert done.returncode == 1
    points = table(tmp_path / "swept")
    assert [facts["status"] for facts in points.values()] == ["finished", "failed"] * 3
    runs = [json.loads(file.read_text()) for file in (tmp_path / "swept").glob("*/run.json")]
    share = max(len(os.sched_getaffinity(0)) // 2, 1)
    assert {run["device"] for run in runs if "CPU" in run["device"]} <= {f"CPU, {share} threads"}


def test_submitit(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = ("hydra/launcher=submitit_local", "hydra.launcher.cpus_per_task=1", "trainer=cpu", "hydra.sweep.dir=swept")
    ganexp("-m", "seed=1", *QUICK, *words, cwd=tmp_path)
    assert [facts["status"] for facts in table(tmp_path / "swept").values()] == ["finished"]
    runs = [json.loads(file.read_text()) for file in (tmp_path / "swept").glob("*/run.json")]
    assert {run["device"] for run in runs} == {"CPU, 1 threads"}


def test_optuna_minimises_fid_and_goes_on_with_the_same_points(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    swept = tmp_path / "swept"
    search = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=1", "hydra.sweep.dir=swept")
    ganexp("-m", "optimizer.generator.lr=interval(0.0001,0.01)", *search, *FAST, cwd=tmp_path)
    points = table(swept)
    assert [facts["status"] for facts in points.values()] == ["finished"] * 3
    best = OmegaConf.load(swept / "optimization_results.yaml")
    assert best.best_value == min(facts["objective"] for facts in points.values())
    last = list(points)[-1]
    before = contents(swept, list(points)[:-1])
    shutil.rmtree(swept / last)
    ganexp("sweep.resume=swept", cwd=tmp_path)
    assert list(table(swept)) == list(points)
    assert table(swept)[last]["objective"] == points[last]["objective"]
    assert contents(swept, list(points)[:-1]) == before
