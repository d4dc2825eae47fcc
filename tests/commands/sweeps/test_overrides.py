"""The overrides that ganexp adds to the command line of a sweep, and the overrides that a sweep stores."""

import json
from pathlib import Path

import pytest
from helpers.cli import ganexp
from helpers.sweeps import QUICK, statuses
from hydra.errors import OverrideParseException
from omegaconf import OmegaConf

from ganexp.arguments import parse
from ganexp.commands.sweeps.overrides import added_overrides, stored_overrides, task_overrides
from ganexp.errors import UserError

NAMING = "hydra.job.config.override_dirname.exclude_keys="


def added(*argv):
    with added_overrides(parse(argv)) as overrides:
        return list(overrides)


@pytest.mark.parametrize(
    "argv", [[], ["seed=1"], ["sample", "ckpt=a"], ["describe"], ["sweep=losses", "--cfg", "job"], ["evaluate"]]
)
def test_nothing_is_added_to_a_single_run(argv):
    assert added(*argv) == []


@pytest.mark.parametrize(
    ("argv", "keys"),
    [
        (["-m", "seed=1,2"], ""),
        (["-m", "seed=1,2", "loss=hinge", "+x.y=3", "~schedule/lr_decay"], "'loss','x.y','schedule/lr_decay'"),
        (["-m", "seed=range(3)", "loss=glob(*)", "model=mlp"], "'model'"),
        (["-m", "lr=interval(0.1,1)", "data.root=/a/b", "hydra.sweep.dir=x"], "'data.root'"),
        (["sweep=losses", "seed=1"], "'sweep','seed'"),
    ],
)
def test_directory_names_leave_out_what_all_jobs_share(argv, keys):
    assert added(*argv) == [f"{NAMING}[{keys}]"]


def test_own_naming_is_kept():
    assert added("-m", "seed=1,2", f"{NAMING}[seed]") == []


@pytest.mark.parametrize(
    ("overrides", "needs_seed"),
    [
        (["hydra/sweeper=optuna"], True),
        (["hydra/sweeper=optuna", "hydra/sweeper/sampler=random"], True),
        (["hydra/sweeper=optuna", "hydra/sweeper/sampler=grid"], False),
        (["hydra/sweeper=optuna", "hydra.sweeper.sampler.seed=3"], False),
        (["hydra/sweeper=optuna", "+hydra.sweeper.sampler.seed=3"], False),
        ([], False),
    ],
)
def test_search_gets_a_seed(overrides, needs_seed):
    assert ("hydra.sweeper.sampler.seed=0" in added("-m", "seed=1,2", *overrides)) == needs_seed


@pytest.mark.parametrize("command", ["describe", "evaluate", "sample"])
def test_hydras_file_goes_to_a_temporary_directory(command):
    with added_overrides(parse([command, "-m", "seed=1,2"])) as (override,):
        directory = Path(override.removeprefix("hydra.sweep.dir='").removesuffix("'"))
        assert directory.is_dir()
        (directory / "multirun.yaml").touch()
    assert not directory.exists()


def test_temporary_directory_may_have_any_name(tmp_path, monkeypatch):
    name = "it's a\"b\\c,d\\"  # without ${…}, because Hydra would resolve it
    (tmp_path / name).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    described = json.loads(ganexp("describe", "-m", "loss=hinge,wgan_gp", cwd=tmp_path).stdout)["jobs"]
    assert [job["loss"]["name"] for job in described] == ["Hinge", "Wasserstein"]
    assert not list(tmp_path.rglob("ganexp-*"))


def test_sweep_directory_in_a_config_file_is_that_of_its_jobs(tmp_path, monkeypatch):
    name = "it's a\"b\\c,d-${oc.env:USER}"  # most of these characters have a special meaning in Hydra's syntax
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USER", "me")
    place = OmegaConf.create({"hydra": {"sweep": {"dir": f"~/{name}"}}})
    (tmp_path / "mine" / "debug").mkdir(parents=True)
    (tmp_path / "mine" / "debug" / "place.yaml").write_text("# @package _global_\n" + OmegaConf.to_yaml(place))
    ganexp("--config-dir", "mine", "-m", "debug=place", "seed=1", *QUICK, "trainer=cpu", cwd=tmp_path)
    (swept,) = (tmp_path / "home").iterdir()
    assert swept.name == name.replace("${oc.env:USER}", "me")
    assert statuses(swept) == ["finished"]


@pytest.mark.parametrize("override", ["hydra.sweep.dir=own", "hydra/launcher=submitit_slurm"])
def test_chosen_directory_or_launcher_keeps_the_sweep_directory(override):
    assert added("evaluate", "-m", "seed=1,2", override) == []


def test_broken_override_is_refused():
    with pytest.raises(OverrideParseException):
        added("-m", "seed=[1")


def test_overrides_are_stored_as_they_were_given():
    """${seed} stands for the seed of each job, not for the seed of the sweep."""
    given = {"task": ["tags=[x-${seed}]", "seed=1,2"], "hydra": ["hydra.sweeper.n_jobs=${seed}", "hydra.verbose=true"]}
    config = OmegaConf.create({"seed": 0, "hydra": {"overrides": given}})
    assert task_overrides(config.hydra) == given["task"]
    assert stored_overrides(config) == [*given["task"], "hydra.sweeper.n_jobs=${seed}"]


@pytest.mark.parametrize(
    ("override", "fix"),
    [
        ("hydra.job.env_set.STEPS=6", "NAME=VALUE ganexp …"),
        ("+hydra.job.env_set.STEPS=6", "NAME=VALUE ganexp …"),
        ("hydra.job={env_set: {STEPS: 6}}", "NAME=VALUE ganexp …"),
        ("hydra.searchpath=[file://mine]", "--config-dir DIRECTORY"),
    ],
)
def test_settings_of_hydra_that_would_be_lost_are_refused(override, fix):
    config = OmegaConf.create({"hydra": {"overrides": {"task": ["seed=1,2"], "hydra": [override]}}})
    with pytest.raises(UserError, match="a resumed sweep would lose this setting") as refused:
        stored_overrides(config)
    assert str(refused.value).startswith(override)
    assert str(refused.value).endswith(fix)


def test_directory_may_have_the_name_of_a_refused_setting():
    given = {"task": ["seed=1,2"], "hydra": ["hydra.sweep.dir=env_set", "hydra.sweep.subdir=searchpath-${seed}"]}
    config = OmegaConf.create({"hydra": {"overrides": given}})
    assert stored_overrides(config) == ["seed=1,2", "hydra.sweep.subdir=searchpath-${seed}"]


def test_sweep_with_a_variable_that_would_be_lost_leaves_nothing(tmp_path):
    variable = ("+hydra.job.env_set.STEPS=6", "schedule.steps=${oc.env:STEPS}")
    done = ganexp("-m", "seed=1,2", *QUICK, *variable, "hydra.sweep.dir=swept", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "+hydra.job.env_set.STEPS='6': a resumed sweep would lose this setting" in done.stderr
    assert not list(tmp_path.iterdir())
