"""The scores of `ganexp evaluate` in the loggers of a run."""

import math

import pytest
from helpers.runs import make_run, template
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from ganexp.commands.evaluation.loggers import log_evaluated
from ganexp.loggers.tensorboard import TensorBoard
from ganexp.runs.run_directory import RunDirectory


def run_with(tmp_path, *overrides, **metadata):
    return RunDirectory(make_run(tmp_path / "run", template("loss=hinge", *overrides), **metadata))


def scalars(run):
    events = EventAccumulator(str(run.path)).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_keeps_the_last_evaluation_of_each_file(tmp_path, monkeypatch):
    # Number this process's event files from 0: file names are sorted as text, so 10 would come before 9.
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))
    run = run_with(tmp_path)
    logger = TensorBoard(run)
    logger.log_metrics({"score/fid_classifier": 9.0}, 1000)
    logger.close()
    log_evaluated(run, {"fid_classifier": 4.0, "kid_classifier": math.nan}, 500, "scores")
    log_evaluated(run, {"fid_inception": 6.0}, 500, "scores-inception")
    log_evaluated(run, {"fid_classifier": 5.0}, 1000, "scores")
    assert scalars(run) == {
        "1 score/fid_classifier": [(1000, 9.0)],
        "2 evaluated/fid_classifier": [(1000, 5.0)],
        "2 evaluated/fid_inception": [(500, 6.0)],
    }


def test_run_that_is_training_gets_no_evaluated_scores(tmp_path, capsys):
    run = run_with(tmp_path, status="running")
    log_evaluated(run, {"fid_classifier": 4.0}, 500, "scores")
    assert "still training" in capsys.readouterr().out
    assert not list(run.path.glob("events*"))


@pytest.mark.parametrize("option", ["none", "csv"])
def test_loggers_without_the_method_are_left_out(tmp_path, capsys, option):
    run = run_with(tmp_path, f"logger={option}")
    before = set(run.path.iterdir())
    log_evaluated(run, {"fid_classifier": 4.0}, 500, "scores")
    assert capsys.readouterr().out == ""
    assert set(run.path.iterdir()) == before


@pytest.mark.parametrize(
    ("overrides", "metadata", "message"),
    [
        (["logger=wandb"], {}, "the logger wandb does not receive these scores: run.json has no id"),
        (["logger=wandb", "logger.wandb.entity=else"], {"wandb": {"id": "a"}}, "WANDB_ENTITY=else"),
        (["logger=mlflow", "logger.mlflow.tracking_uri=http://else"], {}, "MLFLOW_TRACKING_URI=http://else"),
    ],
)
def test_scores_go_to_no_account_of_a_stranger(tmp_path, capsys, overrides, metadata, message):
    log_evaluated(run_with(tmp_path, *overrides, **metadata), {"fid_classifier": 4.0}, 500, "scores")
    assert message in capsys.readouterr().out
