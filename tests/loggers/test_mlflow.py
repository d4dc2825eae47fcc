"""What a run leaves in MLflow's database."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers.trackers import mlflow_client, mlflow_runs, needs_mlflow
from PIL import Image

from ganexp.errors import UserError
from ganexp.loggers.mlflow import MLflow
from ganexp.runs.run_directory import RunDirectory

pytestmark = [needs_mlflow, pytest.mark.slow]


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory):
    """Create a database with MLflow's tables only once, because this takes seconds; return the path of the database."""
    from mlflow import MlflowClient

    file = tmp_path_factory.mktemp("empty") / "mlflow.db"
    MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def database(tmp_path, empty_database):
    """Create the default database with empty tables, and return the path of the database."""
    file = tmp_path / "outputs" / "mlflow.db"
    file.parent.mkdir()
    return shutil.copy(empty_database, file)


@pytest.fixture
def run(tmp_path):
    """Return the run directory of a job in a sweep."""
    path = tmp_path / "lr" / "00-seed-1"
    path.mkdir(parents=True)
    (tmp_path / "lr" / "sweep.json").write_text("{}")
    return RunDirectory(path)


def history(database, key):
    (run,) = mlflow_runs(database)
    return [(metric.step, metric.value) for metric in mlflow_client(database).get_metric_history(run.info.run_id, key)]


def test_values_have_the_step_of_the_gan(run, database):
    logger = MLflow(run)
    logger.log_metrics({"score/fid_classifier": 3.0}, 0)
    logger.log_metrics({"score/fid_classifier": 1 / 3}, 50)
    logger.log_result({"seed": 0}, {"best/fid_classifier": 1 / 3}, 50)
    assert history(database, "score/fid_classifier") == [(0, 3), (50, 1 / 3)]
    assert history(database, "final/best/fid_classifier") == [(50, 1 / 3)]


def test_run_has_name_tags_and_parameters(run, database):
    logger = MLflow(run, "digits-mlp-hinge", ["a", "b"], experiment="gans")
    logger.log_hyperparams({"seed": 1, "model.generator.width": 64})
    (logged,) = mlflow_runs(database)
    assert logged.info.run_name == "00-seed-1"
    assert {"a": "true", "b": "true", "sweep": "lr"}.items() <= logged.data.tags.items()
    assert logged.data.params == {"seed": "1", "model.generator.width": "64"}
    assert mlflow_client(database).get_experiment(logged.info.experiment_id).name == "gans"


def test_run_outside_of_a_sweep_has_no_sweep_tag(tmp_path, database):
    (tmp_path / "run").mkdir()
    MLflow(RunDirectory(tmp_path / "run"))
    (logged,) = mlflow_runs(database)
    assert "sweep" not in logged.data.tags


def test_pictures_are_artifacts_beside_the_database(run, database):
    dark = torch.tensor([0, 1], dtype=torch.uint8).repeat(3, 4, 2)
    MLflow(run).log_image("interpolation/linear", [dark], 50)
    (file,) = (database.parent / "mlflow-artifacts").rglob("*.png")
    assert np.array_equal(np.asarray(Image.open(file)), dark.permute(1, 2, 0).numpy())
    assert "step+50" in file.name or "step%50" in file.name
    assert not (run.path.parents[1] / "mlruns").exists()


def test_validation_does_not_end_the_run(run, database):
    logger = MLflow(run)
    logger.finalize("success")
    (logged,) = mlflow_runs(database)
    assert logged.info.status == "RUNNING"


@pytest.mark.parametrize(("end", "status"), [("result", "FINISHED"), ("failure", "FAILED")])
def test_status_is_that_of_the_run(run, database, end, status):
    logger = MLflow(run)
    logger.log_result({}, {}, 5) if end == "result" else logger.finalize("failed")
    (logged,) = mlflow_runs(database)
    assert logged.info.status == status


def test_resumed_run_continues_from_any_directory(run, database, tmp_path, monkeypatch):
    first = MLflow(run)
    first.log_metrics({"loss/generator": 1.0}, 5)
    first.finalize("failed")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    second = MLflow(run)
    (logged,) = mlflow_runs(database)
    assert logged.info.status == "RUNNING"
    second.log_metrics({"loss/generator": 2.0}, 6)
    assert history(database, "loss/generator") == [(5, 1), (6, 2)]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_longer_run_keeps_its_first_parameters(run, database):
    MLflow(run).log_hyperparams({"schedule.steps": 5})
    MLflow(run).log_hyperparams({"schedule.steps": 9, "seed": 1})
    (logged,) = mlflow_runs(database)
    assert logged.data.params == {"schedule.steps": "5", "seed": "1"}


def test_run_that_the_store_does_not_know_is_new(run, database):
    MLflow(run)
    run.update_metadata(mlflow=run.metadata()["mlflow"] | {"run_id": "0" * 32})
    MLflow(run)
    assert len(mlflow_runs(database)) == 2


def test_stored_address_of_a_server_is_not_used(run, database):
    """The address in run.json may come from a stranger."""
    run.update_metadata(mlflow={"run_id": "0" * 32, "tracking_uri": "http://127.0.0.1:9"})
    MLflow(run)
    assert len(mlflow_runs(database)) == 1


def test_directory_of_files_is_refused(run):
    with pytest.raises(UserError, match=r"logger.mlflow.tracking_uri=file:mlruns"):
        MLflow(run, tracking_uri="file:mlruns")


def test_processes_can_create_the_database_together(tmp_path):
    code = "import sys; from ganexp.loggers.mlflow import MLflow; from ganexp.runs.run_directory import RunDirectory; "
    code += "MLflow(RunDirectory(sys.argv[1])).log_metrics({'x': 1.0}, 0)"
    processes = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        processes.append(subprocess.Popen([sys.executable, "-c", code, str(tmp_path / name)], cwd=tmp_path))
    assert [process.wait(timeout=250) for process in processes] == [0, 0]
    runs = mlflow_runs(tmp_path / "outputs" / "mlflow.db")
    assert len(runs) == 2
    assert len({run.info.experiment_id for run in runs}) == 1
