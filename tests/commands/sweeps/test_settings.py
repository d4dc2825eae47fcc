"""Overrides of settings that only the jobs of a sweep have."""

import json

import pytest
from helpers.cli import ganexp
from helpers.sweeps import QUICK, statuses
from omegaconf import OmegaConf

from ganexp.arguments import parse
from ganexp.cli import CONF
from ganexp.commands.sweeps.settings import hand_settings_to_jobs, of_parameters
from ganexp.config import schema

CASES = ("experiment=sagan/cifar10_3,sagan/cifar10_4,sagan/cifar10_5",)
SMALL = (
    "data=digits",
    "schedule.batch_size=8",
    "model.generator.widths=[8,8]",
    "model.generator.attention=null",
    "model.discriminator.widths=[8,8]",
    "model.discriminator.halvings=2",
    "model.discriminator.attention=null",
)


def handed(*argv):
    """Return the overrides that apply only to the jobs, and those that apply to the sweep as well."""
    schema.register()
    command = hand_settings_to_jobs(parse(argv), [CONF])
    of_jobs = [own for override in command.arguments for own in of_parameters(override)]
    return of_jobs, [override for override in command.arguments if not of_parameters(override)]


@pytest.mark.parametrize(
    ("argv", "of_jobs"),
    [
        (["-m", *CASES, "schedule.updates.limit=.5,${seed}", "seed=1"], ["schedule.updates.limit=.5,${seed}"]),
        (["sweep=sagan_cifar10", "model.generator.init='it\\'s'"], ["model.generator.init='it\\'s'"]),
        (["-m", *CASES, "model=sagan", "model.generator.widths=[8]"], []),
        (["-m", "loss=hinge,wgan", "model.generator.hidden=[8]", "+a.b=1", "hydra.sweep.dir=a.b"], []),
        (["model.generator.widths=[8]"], []),
        (["-m", "loss=hing", "a.b=1"], []),
    ],
)
def test_settings_without_a_place_in_the_sweep_go_to_the_jobs(argv, of_jobs):
    own, others = handed(*argv)
    assert own == of_jobs
    assert others == [override for override in argv if override not in ("-m", *of_jobs)]


@pytest.mark.slow
def test_sweep_over_cases_has_settings_of_the_cases(tmp_path):
    limit = "schedule.updates.limit=0.4"
    cases = "experiment=sagan/cifar10_3,sagan/cifar10_4"
    ganexp("-m", cases, *SMALL, *QUICK, limit, "hydra.sweep.dir=swept", cwd=tmp_path)
    assert statuses(tmp_path / "swept") == ["finished"] * 2
    (path,) = (tmp_path / "swept").glob("01-*")
    cfg = OmegaConf.load(path / "config.yaml")
    assert cfg.model.generator.widths == [8, 8]
    assert cfg.schedule.updates.limit == 0.4
    stored = json.loads((tmp_path / "swept" / "sweep.json").read_text())["overrides"]
    assert {cases, *SMALL, limit} <= set(stored)
    done = ganexp("resume", "swept", cwd=tmp_path)
    assert done.stdout.count("already finished") == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((*CASES, "model.generator.hiden=3"), "model.generator.hiden: there is no such setting.\n"),
        (("loss=hinge,wgan", "a.b=3"), "a: there is no such setting.\nAvailable settings: "),
        (("seed=1,2", "optimizer.generator.x=3"), "optimizer.generator.x: there is no such setting.\n"),
        (("seed=1,2", "augment.a.b=3"), "augment.a: there is no such setting.\n"),
        (
            ("experiment=sagan/cifar10_3,textbook/gan,textbook/cgan", "seed=1,2", "schedule.updates.limit=.5"),
            "schedule.updates.limit: some jobs of the sweep do not have this setting: experiment=textbook/gan, "
            "experiment=textbook/cgan.\n",
        ),
        (("model=mlp,dcgan", "model.generator.hidden=[8]"), "do not have this setting: model=dcgan.\n"),
    ],
)
def test_setting_that_jobs_lack_is_refused_before_the_first(tmp_path, overrides, message):
    done = ganexp("-m", *overrides, *QUICK, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert not done.stdout
    assert not list(tmp_path.iterdir())
