"""A run with all loggers: the loggers record the same scores, and do not change the training."""

import csv
import json

import pytest
from helpers.cli import SMALL, ganexp
from helpers.states import last_checkpoint, same_state
from helpers.trackers import mlflow_client, mlflow_runs, needs_mlflow, needs_wandb, wandb_history, wandb_records
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

pytestmark = [needs_wandb, needs_mlflow, pytest.mark.slow]

LOGGERS = "logger=[tensorboard,csv,wandb,mlflow]"


@pytest.fixture(scope="module")
def cwd(tmp_path_factory):
    """Train, resume and evaluate a run, and train another run without loggers; return the directory that holds both."""
    cwd = tmp_path_factory.mktemp("all")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_SILENT", "true")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        base = (*SMALL, f"metrics.cache={cwd / 'cache'}")
        ganexp(*base, LOGGERS, "tags=[a,b]", "hydra.run.dir=run", cwd=cwd)
        ganexp("resume", "run", "schedule.steps=9", cwd=cwd)
        ganexp("evaluate", "ckpt=run", "metrics/score=[is,fid]", cwd=cwd)
        ganexp(*base, "logger=none", "schedule.steps=9", "hydra.run.dir=plain", cwd=cwd)
    return cwd


def last_of_csv(run, prefix):
    with (run / "metrics.csv").open(newline="") as file:
        row = list(csv.DictReader(file))[-1]
    return {key: (int(row["step"]), float(cell)) for key, cell in row.items() if key.startswith(prefix) and cell}


def last_of_tensorboard(run, prefix):
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    shown = f"2 {prefix}"  # see ganexp.loggers.tensorboard_tags
    last = {tag: events.Scalars(tag)[-1] for tag in events.Tags()["scalars"] if tag.startswith(shown)}
    return {prefix + tag.removeprefix(shown): (event.step, event.value) for tag, event in last.items()}


def last_of_wandb(run, prefix):
    """Return the last values in the files of all processes that wrote to the W&B run."""
    return {key: values[-1] for key, values in wandb_history(run).items() if key.startswith(prefix)}


def last_of_mlflow(run, prefix):
    database = run.parent / "outputs" / "mlflow.db"
    (logged,) = mlflow_runs(database)
    keys = [key for key in logged.data.metrics if key.startswith(prefix)]
    histories = {key: mlflow_client(database).get_metric_history(logged.info.run_id, key) for key in keys}
    return {key: (points[-1].step, points[-1].value) for key, points in histories.items()}


LAST = {
    "csv": last_of_csv,
    "tensorboard": last_of_tensorboard,
    "wandb": last_of_wandb,
    "mlflow": last_of_mlflow,
}


@pytest.mark.parametrize("logger", LAST)
def test_final_scores_are_those_of_the_run(cwd, logger):
    scores = json.loads((cwd / "run" / "run.json").read_text())["scores"]
    expected = {
        f"final/{which}/{name}": (9, value)
        for which in ("best", "last")
        for name, value in scores[which].items()
        if name not in ("step", "is_classifier_std")
    }
    assert len(expected) >= 4
    check_equal(LAST[logger](cwd / "run", "final/"), expected)


@pytest.mark.parametrize("logger", ["tensorboard", "wandb", "mlflow"])
def test_evaluated_scores_are_those_of_scores_json(cwd, logger):
    record = json.loads((cwd / "run" / "scores.json").read_text())
    expected = {f"evaluated/{name}": (record["step"], value) for name, value in record["scores"].items()}
    assert {"evaluated/fid_classifier", "evaluated/fid_classifier_test"} <= expected.keys()
    check_equal(LAST[logger](cwd / "run", "evaluated/"), expected)


def check_equal(logged, expected):
    assert logged.keys() == expected.keys()
    for key, (step, value) in expected.items():
        assert logged[key][0] == step
        assert logged[key][1] == pytest.approx(value, rel=1e-6)  # TensorBoard stores values in 32 bits


def test_every_logger_has_every_step_of_the_losses(cwd):
    run = cwd / "run"
    steps = list(range(1, 10))
    with (run / "metrics.csv").open(newline="") as file:
        assert [int(row["step"]) for row in csv.DictReader(file) if row["loss/generator"]] == steps
    assert [step for step, _value in wandb_history(run)["loss/generator"]] == steps
    database = cwd / "outputs" / "mlflow.db"
    (logged,) = mlflow_runs(database)
    points = mlflow_client(database).get_metric_history(logged.info.run_id, "loss/generator")
    assert [point.step for point in points] == steps
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    assert [event.step for event in events.Scalars("3 loss/generator")] == steps


def test_tags_and_hyperparameters_are_everywhere(cwd):
    (logged,) = mlflow_runs(cwd / "outputs" / "mlflow.db")
    assert {"a", "b"} <= logged.data.tags.keys()
    assert logged.data.params["optimizer.generator.lr"] == "0.001"
    records = wandb_records(cwd / "run")
    assert {tuple(record.run.tags) for record in records if record.HasField("run")} == {("a", "b")}
    keys = {item.key for record in records if record.HasField("config") for item in record.config.update}
    assert {"seed", "data", "optimizer"} <= keys
    assert "tags: a,b" in (cwd / "run" / "hparams.yaml").read_text().splitlines()


def test_pictures_are_sent(cwd):
    assert [step for step, _picture in wandb_history(cwd / "run")["samples/_type"]] == [0, 3, 6, 9]
    pictures = [file.name for file in (cwd / "outputs" / "mlflow-artifacts").rglob("samples*.png")]
    assert len(pictures) == 4


def test_loggers_do_not_change_training(cwd):
    logged, plain = last_checkpoint(cwd / "run"), last_checkpoint(cwd / "plain")
    for part in ("state_dict", "optimizer_states"):
        assert same_state(logged[part], plain[part])
    assert same_state(logged["callbacks"]["RandomState"], plain["callbacks"]["RandomState"])
