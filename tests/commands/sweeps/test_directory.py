"""All jobs of a sweep are in one directory, even if they differ in a setting that is part of its path."""

import re
import shlex
import shutil

import pytest
from helpers.cli import ganexp
from helpers.sweeps import FAST, QUICK, contents, jobs, statuses

pytestmark = pytest.mark.slow

OWN = ("--config-dir", "mine")


def own_experiments(cwd):
    """Write two experiments that set different names."""
    folder = cwd / "mine" / "experiment"
    folder.mkdir(parents=True)
    for number, name in enumerate(("one", "two")):
        (folder / f"{name}.yaml").write_text(f"# @package _global_\nname: {name}\nseed: {number}\n")


def swept_directory(cwd):
    """Return the directory of the only sweep below `cwd`."""
    (file,) = cwd.rglob("sweep.json")
    return file.parent


@pytest.mark.parametrize(
    ("flags", "overrides", "place"),
    [
        (OWN, ["experiment=one,two"], "outputs/sweep"),
        ((), ["name=a,b", "hydra.sweep.dir='out/it is ${name}'"], "out"),
        ((), ["loss=hinge,wgan", "hydra.sweep.dir='out/${hydra:runtime.choices.loss}'"], "out"),
    ],
)
def test_jobs_are_in_the_directory_of_the_sweep_and_resumed(tmp_path, flags, overrides, place):
    own_experiments(tmp_path)
    ganexp("-m", *flags, *overrides, *QUICK, "trainer=cpu", cwd=tmp_path)
    swept = swept_directory(tmp_path)
    assert swept.parent == tmp_path / place
    assert statuses(swept) == ["finished"] * 2
    first, second = jobs(swept)
    before = contents(swept, [first])
    shutil.rmtree(swept / second)
    done = ganexp("resume", str(swept), *flags, cwd=tmp_path)
    assert done.stdout.count("already finished: ") == 1
    assert list(jobs(swept)) == [first, second]
    assert statuses(swept) == ["finished"] * 2
    assert contents(swept, [first]) == before
    assert len(list(tmp_path.rglob("run.json"))) == 2


def test_search_over_named_experiments_keeps_its_jobs_together(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    own_experiments(tmp_path)
    search = ("hparams_search=lr", "hydra.sweeper.n_trials=2", "experiment=one,two")
    ganexp("-m", *OWN, *search, *FAST, "trainer=cpu", cwd=tmp_path)
    assert statuses(swept_directory(tmp_path)) == ["finished"] * 2


def test_stopped_jobs_belong_to_a_sweep_in_a_directory_above(tmp_path):
    """Stopped jobs are not reported as failed."""
    (tmp_path / "here").mkdir()
    stopped = (*QUICK, "schedule.steps=2", "trainer=cpu", "trainer.max_time=00:00:00:00")
    done = ganexp("-m", "seed=1,2", "hydra.sweep.dir=../swept", *stopped, cwd=tmp_path / "here", check=False)
    assert done.returncode == 1
    stop = f"stopped by trainer.max_time=00:00:00:00. Resume with: ganexp resume {tmp_path / 'swept'}\n"
    assert done.stdout.count(stop) == 1
    assert "2 of 2 jobs are not finished. Continue with: ganexp resume ../swept\n" in done.stderr


def test_suggested_commands_work_in_a_shell(tmp_path):
    """The first and the last line of a stopped sweep suggest the same command, with the launcher and --config-dir."""
    (tmp_path / "own conf").mkdir()
    stopped = (*QUICK, "schedule.steps=2", "trainer=cpu", "trainer.max_time=00:00:00:00", "hydra/launcher=basic")
    words = ("--config-dir", "own conf", "-m", "seed=1,2", "hydra.sweep.dir='with space'", *stopped)
    done = ganexp(*words, cwd=tmp_path, check=False)
    first = re.search("resume it with: (.*)", done.stdout)[1]
    last = re.search("2 of 2 jobs are not finished. Continue with: (.*)", done.stderr)[1]
    assert first.replace(f"{tmp_path}/", "") == last
    command = shlex.split(last)
    assert command == ["ganexp", "resume", "with space", "hydra/launcher=basic", "--config-dir", "own conf"]
    resumed = ganexp(*command[1:], cwd=tmp_path)
    assert statuses(tmp_path / "with space") == ["finished"] * 2
    for text in ("compare them with: ganexp report", "watch the curves with: tensorboard --logdir"):
        assert f"{text} 'with space'\n" in resumed.stdout


def test_path_with_a_setting_of_the_jobs_only_is_refused(tmp_path):
    overrides = ("seed=1,2", "hydra.sweep.dir='out/${model.generator.depths}'")
    done = ganexp("-m", *overrides, *QUICK, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "hydra.sweep.dir=out/${model.generator.depths}: Interpolation key 'model.generator.depths'" in done.stderr
    assert "its path may use only settings that the whole sweep has" in done.stderr
    assert not list(tmp_path.iterdir())


def test_describe_needs_the_flag_of_a_sweep(tmp_path):
    (tmp_path / "mine" / "debug").mkdir(parents=True)
    (tmp_path / "mine" / "debug" / "many.yaml").write_text("# @package _global_\nhydra: {mode: MULTIRUN}\n")
    done = ganexp("describe", *OWN, "debug=many", "seed=1,2", cwd=tmp_path, check=False)
    assert "Start the sweep with -m as well" in done.stderr
