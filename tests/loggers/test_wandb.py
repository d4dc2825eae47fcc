"""What a run sends to W&B, read from the files that W&B writes in offline mode."""

import json

import numpy as np
import pytest
import torch
from helpers.trackers import needs_wandb, wandb_history, wandb_records
from PIL import Image

from ganexp.errors import UserError
from ganexp.loggers.wandb import WeightsAndBiases, nest
from ganexp.runs.run_directory import RunDirectory


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")


@pytest.fixture
def run(tmp_path):
    """Return the run directory of a job in a sweep."""
    path = tmp_path / "lr" / "00-seed-1"
    path.mkdir(parents=True)
    (tmp_path / "lr" / "sweep.json").write_text("{}")
    return RunDirectory(path)


def run_record(run):
    """Return the first record that describes the run."""
    return next(record.run for record in wandb_records(run.path) if record.HasField("run"))


def test_settings_are_nested():
    settings = {"seed": 1, "data.resolution": 8, "data": "digits", "model.generator.width": 64, "model.generator": "G"}
    assert nest(settings) == {
        "seed": 1,
        "data": {"choice": "digits", "resolution": 8},
        "model": {"generator": {"choice": "G", "width": 64}},
    }


@needs_wandb
@pytest.mark.slow
def test_values_have_the_step_of_the_gan(run):
    logger = WeightsAndBiases(run)
    logger.log_metrics({"score/fid_classifier": 3.0}, 0)
    logger.log_metrics({"loss/generator": 0.1}, 50)
    logger.log_metrics({"score/fid_classifier": 1 / 3}, 50)
    logger.log_result({"seed": 0}, {"best/fid_classifier": 1 / 3}, 50)
    history = wandb_history(run.path)
    assert history["score/fid_classifier"] == [(0, 3), (50, 1 / 3)]
    assert history["loss/generator"] == [(50, 0.1)]
    assert history["final/best/fid_classifier"] == [(50, 1 / 3)]


@needs_wandb
@pytest.mark.slow
def test_step_is_the_axis_of_all_values(run):
    WeightsAndBiases(run).log_result({}, {}, 0)
    metrics = [record.metric for record in wandb_records(run.path) if record.HasField("metric")]
    assert ("*", "step") in [(metric.glob_name, metric.step_metric) for metric in metrics]
    assert not [metric for metric in metrics if "trainer" in metric.name + metric.step_metric]


@needs_wandb
@pytest.mark.slow
def test_run_has_name_group_tags_and_config(run):
    logger = WeightsAndBiases(run, "digits-mlp-hinge", ["a", "b"], project="gans")
    logger.log_hyperparams({"seed": 1, "data": "digits", "data.resolution": 8})
    logger.log_result({}, {}, 0)
    record = run_record(run)
    assert (record.project, record.display_name, record.run_group) == ("gans", "00-seed-1", "lr")
    assert list(record.tags) == ["a", "b"]
    updates = [item for entry in wandb_records(run.path) if entry.HasField("config") for item in entry.config.update]
    config = {item.key: json.loads(item.value_json) for item in updates}
    assert config["data"] == {"choice": "digits", "resolution": 8}
    assert config["seed"] == 1


@needs_wandb
@pytest.mark.slow
def test_pictures_are_sent_pixel_for_pixel(run):
    dark = torch.tensor([0, 1], dtype=torch.uint8).repeat(3, 4, 2)
    logger = WeightsAndBiases(run)
    logger.log_image("samples", [dark], 50)
    logger.log_result({}, {}, 50)
    (file,) = run.path.glob("wandb/offline-run-*/files/media/images/samples_*.png")
    assert np.array_equal(np.asarray(Image.open(file)), dark.permute(1, 2, 0).numpy())
    assert wandb_history(run.path)["samples/_type"][0][0] == 50


@needs_wandb
@pytest.mark.slow
def test_resumed_run_keeps_its_id(run):
    first = WeightsAndBiases(run)
    first.log_metrics({"loss/generator": 1.0}, 5)
    first.finalize("failed")
    second = WeightsAndBiases(run)
    second.log_metrics({"loss/generator": 2.0}, 6)
    second.log_result({}, {}, 6)
    ids = {record.run.run_id for record in wandb_records(run.path) if record.HasField("run")}
    assert ids == {run.metadata()["wandb"]["id"]}
    assert wandb_history(run.path)["loss/generator"] == [(5, 1), (6, 2)]


@needs_wandb
@pytest.mark.slow
def test_runs_of_one_process_are_separate(tmp_path):
    runs = [RunDirectory(tmp_path / name) for name in ("a", "b")]
    for run in runs:
        run.path.mkdir()
    loggers = [WeightsAndBiases(run) for run in runs]  # the first logger is still open when the second one is created
    for value, logger in enumerate(loggers):
        logger.log_metrics({"loss/generator": value}, 0)
    for logger in loggers:
        logger.log_result({}, {}, 0)
    assert [wandb_history(run.path)["loss/generator"] for run in runs] == [[(0, 0)], [(0, 1)]]
    assert len({run.metadata()["wandb"]["id"] for run in runs}) == 2


@needs_wandb
@pytest.mark.slow
@pytest.mark.parametrize(("status", "code"), [("failed", 1), ("finished", 0)])
def test_exit_code_is_that_of_the_run(run, status, code):
    logger = WeightsAndBiases(run)
    logger.finalize("success")  # as at the end of the validation at step 0; the run continues
    logger.log_metrics({"loss/generator": 1.0}, 0)
    if status == "failed":
        logger.finalize("failed")
    else:
        logger.log_result({}, {}, 0)
    exits = [record.exit.exit_code for record in wandb_records(run.path) if record.HasField("exit")]
    assert exits == [code]
    assert "loss/generator" in wandb_history(run.path)


@needs_wandb
def test_refusal_by_wandb_shows_the_way_out(run, monkeypatch):
    import wandb

    def refuse(**options):
        raise wandb.errors.UsageError("No API key configured. Use `wandb login` to log in.")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(UserError, match=r"(?s)logger=wandb: .*wandb login.*WANDB_MODE=offline"):
        WeightsAndBiases(run)
    assert "wandb" not in run.metadata()
