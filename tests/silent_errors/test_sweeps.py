"""Each job of a sweep has the settings that its directory and the table of the sweep show."""

import json

import pytest
from helpers.cli import ganexp
from helpers.sweeps import FAST, QUICK, contents, jobs, statuses
from omegaconf import OmegaConf

pytestmark = pytest.mark.slow

SWEPT = ("trainer=cpu", "schedule.batch_size=8", *QUICK, "hydra.sweep.dir=swept")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("swept", "subdirectory", "first", "second"),
    [
        (("loss=hinge,wgan_gp", "seed=1,2"), "${seed}", "loss=hinge", "loss=wgan_gp"),
        (("model.latent.dim=8,16",), "same", "model.latent.dim=8", "model.latent.dim=16"),
        (("seed=1,2", "hydra/launcher=joblib"), "${data.resolution}", "seed=1", "seed=2"),
    ],
)
def test_jobs_that_share_a_directory_are_refused(tmp_path, swept, subdirectory, first, second):
    if "hydra/launcher=joblib" in swept:
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    done = ganexp("-m", *swept, f"hydra.sweep.subdir={subdirectory}", *SWEPT, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert f" gives the jobs {first} and {second} the same directory, swept/" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "shared"),
    [
        (["ckpt=a,b", "output=scores"], "output=scores gives the jobs ckpt=a and ckpt=b the same directory, scores."),
        (["ckpt=run", "seed=1,2"], "output=null gives the jobs seed=1 and seed=2 the same directory, run."),
        (["real=test,train", "output=scores"], "real=test and real=train"),
    ],
)
def test_evaluations_that_share_their_file_are_refused(tmp_path, arguments, shared):
    done = ganexp("evaluate", "-m", *arguments, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert shared in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["seed=1,2", "output=scores-${seed}"], ["metrics=classifier,inception"]])
def test_evaluations_with_files_of_their_own_start(tmp_path, arguments):
    done = ganexp("evaluate", "-m", "ckpt=nowhere", *arguments, cwd=tmp_path, check=False)
    assert "no such checkpoint" in done.stderr


def test_job_whose_config_file_has_changed_is_refused(tmp_path):
    case = "# @package _global_\nmodel: {latent: {dim: %d}}\n"
    write(tmp_path / "mine" / "experiment" / "case.yaml", case % 8)
    ganexp("--config-dir", "mine", "-m", "experiment=case", "seed=1,2", *SWEPT, cwd=tmp_path)
    swept = tmp_path / "swept"
    names = list(jobs(swept))
    killed = swept / names[0] / "run.json"
    killed.write_text(json.dumps(json.loads(killed.read_text()) | {"status": "running"}))
    before = contents(swept, names)
    write(tmp_path / "mine" / "experiment" / "case.yaml", case % 16)
    done = ganexp("--config-dir", "mine", "sweep.resume=swept", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert f"swept/{names[0]} has a run with other settings: model.latent.dim.\n" in done.stderr
    assert f"swept/{names[1]} has a run" in done.stderr  # the second run is named, too
    assert contents(swept, names) == before


def test_same_job_is_not_run_again(tmp_path, monkeypatch):
    """A job counts as the same job if all changed values depend on the machine or are found during the run."""
    monkeypatch.setenv("GANEXP_DATA", str(tmp_path / "here"))
    ganexp("-m", "seed=1", *SWEPT, cwd=tmp_path)
    before = contents(tmp_path / "swept", jobs(tmp_path / "swept"))
    monkeypatch.setenv("GANEXP_DATA", str(tmp_path / "there"))
    done = ganexp("sweep.resume=swept", cwd=tmp_path)
    assert "already finished: " in done.stdout
    assert contents(tmp_path / "swept", jobs(tmp_path / "swept")) == before


def test_search_refuses_another_job_in_a_directory(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    search = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=1", "hydra.sweep.subdir=same")
    scored = ("metrics=classifier", "metrics.extractor.updates=5", "metrics.samples=40", "metrics/score=[fid]")
    sizes = "model.latent.dim=choice(8,16)"
    done = ganexp("-m", sizes, *search, *SWEPT, *scored, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "swept/same has a run with other settings: model.latent.dim" in done.stderr
    assert statuses(tmp_path / "swept") == ["finished"]


@pytest.mark.parametrize(
    ("group", "text", "key"),
    [
        ("experiment", 'hydra: {sweeper: {params: {seed: "1,2"}}}', "hydra.sweeper.params.seed"),
        ("experiment", "hydra: {sweep: {subdir: here}}", "hydra.sweep.subdir"),
        ("debug", "hydra: {job: {env_set: {A: b}}}", "hydra.job.env_set.A"),
        ("debug", "defaults: [override /hydra/launcher: joblib]", "hydra.launcher._target_"),
    ],
)
def test_settings_of_hydra_in_a_swept_option_are_refused(tmp_path, group, text, key):
    if "joblib" in text:
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    write(tmp_path / "mine" / group / "plain.yaml", "# @package _global_\nseed: 3\n")
    write(tmp_path / "mine" / group / "other.yaml", f"# @package _global_\n{text}\n")
    done = ganexp("--config-dir", "mine", "-m", f"{group}=plain,other", *SWEPT, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert f"{group}=other sets {key}" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_grid_of_an_option_that_is_not_swept_counts(tmp_path):
    write(
        tmp_path / "mine" / "experiment" / "grid.yaml", '# @package _global_\nhydra: {sweeper: {params: {seed: "1,2"}}}'
    )
    done = ganexp("--config-dir", "mine", "describe", "-m", "experiment=grid", cwd=tmp_path)
    assert [job["seed"] for job in json.loads(done.stdout)["jobs"]] == [1, 2]


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["metrics=none"], "metrics=none has no scores"),
        (["metrics=classifier,none"], "metrics=none has no scores"),
        (["debug=limit"], "debug.keep_scores=false: a search needs the scores"),
        (["debug.keep_scores=true,false"], "debug.keep_scores=false: a search needs the scores"),
        (["metrics/score=[kid]"], "metrics.best_by=fid: must be one of kid"),
        (["metrics.best_by=is,diversity"], "metrics.best_by=diversity: must be one of is, fid"),
        (["metrics.best_by=is,fid"], "only jobs with the same settings metrics.*"),
        (["metrics.samples=choice(100,200)"], "only jobs with the same settings metrics.*"),
        (["metrics.best_by=is", "hydra.sweeper.direction=maximize"], "hydra.sweeper.direction=maximize: leave it out"),
    ],
)
def test_search_without_one_score_is_refused(tmp_path, overrides, reason):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    rates = ("optimizer.generator.lr=interval(0.1,1)", "schedule.steps=1", "callbacks=progress")
    done = ganexp("-m", *rates, "hydra/sweeper=optuna", *overrides, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert reason in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("score", "sign"), [("kid", 1), ("is", -1)])
def test_search_and_table_follow_best_by(tmp_path, score, sign):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    search = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1", "hydra.sweep.dir=swept")
    scored = (f"metrics/score=[{score}]", f"metrics.best_by={score}", "optimizer.generator.lr=interval(0.001,0.1)")
    done = ganexp("-m", *scored, *search, *FAST, cwd=tmp_path)
    found = list(jobs(tmp_path / "swept").values())
    values = [sign * job["scores"]["best"][f"{score}_classifier"] for job in found]
    assert [job["objective"] for job in found] == values
    best = OmegaConf.load(tmp_path / "swept" / "optimization_results.yaml")
    assert best.best_value == min(values)
    assert f"best: optimizer.generator.lr={best.best_params['optimizer.generator.lr']:.6g}" in done.stdout
