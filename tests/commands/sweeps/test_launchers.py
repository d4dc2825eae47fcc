"""Jobs of a sweep in processes of their own, and jobs that a search chooses."""

import json
import os
import shutil

import pytest
from helpers.cli import ganexp
from helpers.sweeps import FAST, QUICK, contents, jobs, statuses
from omegaconf import OmegaConf

from ganexp.commands import train
from ganexp.commands.sweeps.search_value import value_for_sampler
from ganexp.commands.train import fit_run
from ganexp.console import count

SEARCH = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1", "hydra.sweep.dir=swept")


def devices(sweep):
    return {job["device"] for job in jobs(sweep).values() if job["status"] == "finished"}


@pytest.mark.slow
def test_joblib_shares_the_cores_and_prunes_jobs(tmp_path, monkeypatch, capfd):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    loky = pytest.importorskip("joblib.externals.loky")
    loky.get_reusable_executor().shutdown(wait=True)  # workers of an earlier test write to the output of that test
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    swept = tmp_path / "swept"
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=swept", "sweep.prune=true")
    rates = "optimizer.generator.lr=0.001,1e30,1e-9,0.002,0.003,0.03"  # the second job diverges, the last is pruned
    done = ganexp("-m", rates, *FAST, *launcher, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "1 of 6 jobs failed" in done.stderr
    assert "hydra/launcher=joblib hydra.launcher.n_jobs=2" in done.stdout  # part of the command that resumes the sweep
    assert statuses(swept) == ["finished", "failed", *["finished"] * 3, "pruned"]
    share = max(len(os.sched_getaffinity(0)) // 2, 1)
    assert {device for device in devices(swept) if "CPU" in device} <= {f"CPU, {count(share, 'thread')}"}
    printed = capfd.readouterr().out.splitlines()  # text from the processes of the jobs
    assert sum(line.startswith("dataset: ") for line in printed) == 1
    assert sum(line.startswith("#0 run directory: ") for line in printed) == 1
    assert all("dataset: " in log.read_text() for log in swept.glob("*/run.log"))


@pytest.mark.slow
def test_submitit_sets_the_threads_of_a_job(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    launcher = ("hydra/launcher=submitit_local", "hydra.launcher.cpus_per_task=1", "hydra.sweep.dir=swept")
    ganexp("-m", "seed=1", *QUICK, *launcher, "trainer=cpu", cwd=tmp_path)
    assert statuses(tmp_path / "swept") == ["finished"]
    assert devices(tmp_path / "swept") == {"CPU, 1 thread"}


@pytest.mark.slow
def test_optuna_minimises_fid_and_resumes_with_the_same_jobs(tmp_path, capfd):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    swept = tmp_path / "swept"
    ganexp("-m", "optimizer.generator.lr=interval(0.0001,0.01)", *SEARCH, *FAST, cwd=tmp_path)
    printed = capfd.readouterr()  # Optuna's log has an output stream of its own
    assert not [text for text in ("A new study", "Sampler:", "Best parameters") if text in printed.out + printed.err]
    before = jobs(swept)
    assert statuses(swept) == ["finished"] * 2
    best = OmegaConf.load(swept / "optimization_results.yaml")
    assert best.best_value == min(job["objective"] for job in before.values())
    *others, last = before
    files = contents(swept, others)
    shutil.rmtree(swept / last)
    ganexp("sweep.resume=swept", cwd=tmp_path)
    assert list(jobs(swept)) == list(before)
    assert jobs(swept)[last]["objective"] == before[last]["objective"]
    assert contents(swept, others) == files


@pytest.mark.slow
def test_search_keeps_its_jobs_if_a_failed_one_is_tried_again(tmp_path, monkeypatch, capfd):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    swept = tmp_path / "swept"
    small = (*SEARCH, "hydra.sweeper.n_trials=3", "hydra.sweeper.sampler.n_startup_trials=1", *FAST)

    def fail(cfg, run, prepared):
        if run.path.name.startswith("01-"):
            raise OSError(28, "No space left on device")
        return fit_run(cfg, run, prepared)

    with monkeypatch.context() as patch:
        patch.setattr(train, "fit_run", fail)
        done = ganexp("-m", "optimizer.generator.lr=interval(0.0001,0.01)", *small, cwd=tmp_path, check=False)
    assert "1 of 3 jobs failed" in done.stderr
    before = jobs(swept)
    ganexp("resume", "swept", cwd=tmp_path)
    assert statuses(swept) == ["finished"] * 3
    assert list(jobs(swept)) == list(before)
    values = [json.loads((swept / name / "search_value.json").read_text()) for name in before]
    assert values == [job.get("objective") for job in before.values()]
    assert values[1] is None
    assert jobs(swept)[list(before)[1]]["objective"] is not None
    printed = capfd.readouterr()
    assert "float-castable" not in printed.out + printed.err + done.stdout + done.stderr


@pytest.mark.parametrize("first", [None, 3.5])
def test_sampler_gets_the_value_of_the_first_end(tmp_path, first):
    assert value_for_sampler(str(tmp_path), first) == first
    assert value_for_sampler(str(tmp_path), 1.5) == first
    assert value_for_sampler(str(tmp_path), None) == first


@pytest.mark.slow
def test_failed_trial_does_not_stop_a_search(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    sizes = "schedule.batch_size=choice(9999,16)"
    fast = [override for override in FAST if not override.startswith("schedule.batch_size=")]
    done = ganexp("-m", sizes, *SEARCH, "hydra.sweeper.n_trials=4", *fast, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert sorted(set(statuses(tmp_path / "swept"))) == ["failed", "finished"]
    assert len(statuses(tmp_path / "swept")) == 4


def test_search_needs_a_seed(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    rates = ("optimizer.generator.lr=interval(0.1,1)", *SEARCH)
    done = ganexp("-m", *rates, "hydra.sweeper.sampler.seed=null", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "A search needs a seed" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["train", "describe"])
def test_optuna_storage_is_refused_with_the_reason(tmp_path, command):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    storage = ("hydra.sweeper.storage=sqlite:///study.db", "hydra.sweeper.study_name=search")
    done = ganexp(command, "-m", "optimizer.generator.lr=interval(0.1,1)", *SEARCH, *storage, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("hydra.sweeper.storage=sqlite:///study.db: Hydra's Optuna plugin needs Optuna 2")
    assert "SQLAlchemy 2" in done.stderr
    assert "ganexp resume DIRECTORY" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_search_preset_runs_prunes_and_lists_its_values(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    search = ("hparams_search=lr", "hydra.sweeper.n_trials=2", "hydra.sweep.dir=swept")
    printed = ganexp(*search, *FAST, cwd=tmp_path).stdout  # the preset implies -m
    found = jobs(tmp_path / "swept").values()
    keys = [f"optimizer.{name}.lr" for name in ("generator", "discriminator")]
    values = [dict(override.split("=", 1) for override in job["overrides"]) for job in found]
    assert len({value[key] for value in values for key in keys}) == 4
    for value in values:
        assert " ".join(f"{key}={value[key]}" for key in keys) in printed
    configs = [OmegaConf.load(path) for path in (tmp_path / "swept").glob("*/config.yaml")]
    assert all(cfg.sweep.prune and 1e-5 <= cfg.optimizer.generator.lr <= 1e-2 for cfg in configs)
    assert "alembic" not in printed
