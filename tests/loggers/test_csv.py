"""metrics.csv loses no row when a run ends, is killed or is resumed."""

import csv
import warnings

import pytest

from ganexp.loggers.csv import CSV
from ganexp.loggers.metrics_file import MetricsFile
from ganexp.loggers.result import log_result
from ganexp.runs.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 0\n")  # a run directory is never empty
    return RunDirectory(tmp_path)


def rows(run):
    """Return the rows on disk, without empty cells."""
    with (run.path / "metrics.csv").open(newline="") as file:
        return [{key: float(cell) for key, cell in row.items() if cell} for row in csv.DictReader(file)]


def test_row_is_on_disk_at_once(run):
    logger = CSV(run)
    logger.log_metrics({"loss/generator": 0.1}, 50)
    assert rows(run) == [{"loss/generator": 0.1, "step": 50}]
    logger.log_metrics({"loss/generator": 0.2}, 100)
    assert rows(run)[-1] == {"loss/generator": 0.2, "step": 100}


def test_new_column_keeps_earlier_rows(run):
    logger = CSV(run)
    logger.log_metrics({"score/fid_classifier": 1 / 3}, 0)
    logger.log_metrics({"loss/generator": 0.1}, 1)
    logger.log_metrics({"score/fid_classifier": 0.2}, 1)
    assert rows(run) == [
        {"score/fid_classifier": 1 / 3, "step": 0},
        {"loss/generator": 0.1, "step": 1},
        {"score/fid_classifier": 0.2, "step": 1},
    ]


def test_final_scores_are_in_the_table(run):
    logger = CSV(run)
    logger.log_metrics({"loss/generator": 0.1}, 1)
    logger.finalize("success")
    log_result([logger], {"seed": 0}, {"best/fid_classifier": 2.5}, 6)
    assert rows(run)[-1] == {"final/best/fid_classifier": 2.5, "step": 6}


def logged(run, resume_step, *steps):
    """Log points as a training does: first to metrics.jsonl, then to metrics.csv."""
    loggers = [MetricsFile(run, resume_step), CSV(run, resume_step)]
    for step in steps:
        for logger in loggers:
            logger.log_metrics({"loss/generator": step + 0.1}, step)


def test_resume_keeps_rows_up_to_the_checkpoint(run):
    logged(run, 0, 0, 5, 10, 11)
    logged(run, 10, 11, 12)
    assert [row["step"] for row in rows(run)] == [0, 5, 10, 11, 12]
    assert rows(run)[0] == {"loss/generator": 0.1, "step": 0}


def test_resume_restores_a_table_that_a_kill_has_broken(run):
    logged(run, 0, 0, 5, 10)
    (run.path / "metrics.csv").write_text("loss/gen")
    logged(run, 10, 11)
    assert [row["step"] for row in rows(run)] == [0, 5, 10, 11]


def test_restart_without_checkpoint_starts_an_empty_table(run):
    logged(run, 0, 0, 5)
    logged(run, 0, 0)
    assert [row["step"] for row in rows(run)] == [0]


def test_files_of_the_run_raise_no_warning(run):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CSV(run)


def test_hyperparameters_are_written_beside_the_table(run):
    CSV(run).log_hyperparams({"seed": 1, "loss": "hinge"})
    assert (run.path / "hparams.yaml").read_text() == "seed: 1\nloss: hinge\n"
