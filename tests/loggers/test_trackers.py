"""Rules that the loggers of W&B and MLflow share: how they check for their optional package, and how they name runs."""

import pytest

from ganexp.errors import UserError
from ganexp.loggers import trackers
from ganexp.loggers.mlflow import MLflow
from ganexp.loggers.wandb import WeightsAndBiases
from ganexp.runs.run_directory import RunDirectory


@pytest.fixture(params=["00-seed-1", "1/run"])
def job(tmp_path, request):
    """Return the directory of a job in a sweep, one or two levels below that of the sweep."""
    (tmp_path / "lr").mkdir()
    (tmp_path / "lr" / "sweep.json").write_text("{}")
    return RunDirectory(tmp_path / "lr" / request.param)


@pytest.mark.parametrize(("logger", "extra"), [(WeightsAndBiases, "wandb"), (MLflow, "mlflow")])
def test_missing_package_is_refused_with_its_extra(tmp_path, monkeypatch, logger, extra):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    message = rf"logger={extra} needs the package {extra}: pip install 'ganexp\[{extra}\]'"
    with pytest.raises(UserError, match=message):
        logger(RunDirectory(tmp_path))
    with pytest.raises(UserError, match=message):
        logger.check_installed()
    assert list(tmp_path.iterdir()) == []


def test_installed_package_is_accepted():
    trackers.require("torch")


def test_sweep_name_is_that_of_its_directory(job):
    assert trackers.sweep_name(job) == "lr"


def test_run_outside_of_a_sweep_has_no_sweep_name(tmp_path):
    assert trackers.sweep_name(RunDirectory(tmp_path / "run")) is None


def test_display_name_of_a_job_is_its_path_in_the_sweep(job):
    assert trackers.display_name(job, "digits-mlp-hinge") in ("00-seed-1", "1/run")


@pytest.mark.parametrize(("name", "shown"), [("digits-mlp-hinge", "digits-mlp-hinge/20260101"), (None, "20260101")])
def test_display_name_of_a_run_has_its_name(tmp_path, name, shown):
    assert trackers.display_name(RunDirectory(tmp_path / "20260101"), name) == shown
