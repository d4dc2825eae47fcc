"""The arguments of `ganexp resume`."""

import pytest

from ganexp.arguments import UsageError
from ganexp.commands.resume_arguments import ResumeArguments, parse_resume


@pytest.fixture
def sweep(tmp_path):
    """Make a directory that holds a sweep."""
    (tmp_path / "swept").mkdir()
    (tmp_path / "swept" / "sweep.json").write_text("{}")
    return str(tmp_path / "swept")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run"], ResumeArguments("run")),
        (["run", "schedule.steps=90"], ResumeArguments("run", 90)),
        (["run", "schedule.epochs=3"], ResumeArguments("run", epochs=3)),
        (["run", "schedule.epochs=3", "schedule.steps=9"], None),
        (["run", "data.root=a=b", "data.path=c.zip"], ResumeArguments("run", data_root="a=b", data_path="c.zip")),
        (["run", "data.changed=accept"], ResumeArguments("run", data_changed=True)),
        (["run", "data.changed=refuse"], ResumeArguments("run")),
        (["run", "data.changed=perhaps"], None),
        (["run", "data.path="], None),
        (["schedule.steps=90", "run"], None),
        (["run", "schedule.steps=9", "schedule.steps=10"], ResumeArguments("run", 10)),  # the last value counts
        (["run", "schedule.steps=-1"], None),
        (["run", "other"], None),
        (["run", "--config-dir", "mine"], ResumeArguments("run")),  # the path is refused later: it is not a run
        ([], None),
    ],
)
def test_run_takes_a_path_and_its_new_length(arguments, expected):
    if expected is not None:
        assert parse_resume(arguments) == expected
        return
    with pytest.raises(UsageError, match="usage: ganexp resume RUN"):
        parse_resume(arguments)


def test_run_takes_no_config_dir(tmp_path):
    (tmp_path / "config.yaml").touch()
    with pytest.raises(UsageError, match="--config-dir is for sweeps only"):
        parse_resume([str(tmp_path), "--config-dir", "mine"])


def test_second_directory_is_named(tmp_path):
    with pytest.raises(UsageError, match=f"error: {tmp_path}: give one run or one sweep"):
        parse_resume(["run", str(tmp_path)])


def test_sweep_takes_a_launcher_and_a_config_dir(sweep):
    assert parse_resume([sweep]).sweep == (f"sweep.resume={sweep}",)
    arguments = [sweep, "hydra/launcher=joblib", "--config-dir", "mine"]
    assert parse_resume(arguments).sweep == (
        f"sweep.resume={sweep}",
        "hydra/launcher=joblib",
        "--config-dir",
        "mine",
    )
