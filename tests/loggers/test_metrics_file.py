"""metrics.jsonl has every point once, also after a resume."""

import resource

import pytest

from ganexp.loggers.metrics_file import MetricsFile
from ganexp.runs.run_directory import RunDirectory


def logger_with_points(path, *steps):
    logger = MetricsFile(RunDirectory(path))
    for step in steps:
        logger.log_metrics({"loss/generator": step / 2}, step)
    return logger


def test_points_are_written_at_once(tmp_path):
    logger_with_points(tmp_path, 0, 5)
    assert RunDirectory(tmp_path).points() == [{"step": 0, "loss/generator": 0}, {"step": 5, "loss/generator": 2.5}]


def test_resume_removes_points_after_the_checkpoint(tmp_path):
    logger_with_points(tmp_path, 0, 5, 10, 11)
    MetricsFile(RunDirectory(tmp_path), resume_step=10).log_metrics({"loss/generator": 7.0}, 11)
    assert [point["step"] for point in RunDirectory(tmp_path).points()] == [0, 5, 10, 11]
    assert RunDirectory(tmp_path).points()[-1]["loss/generator"] == 7


def test_restart_without_checkpoint_removes_all_points(tmp_path):
    logger_with_points(tmp_path, 0, 5)
    MetricsFile(RunDirectory(tmp_path))
    assert RunDirectory(tmp_path).points() == []


def test_settings_and_result_add_no_point(tmp_path):
    logger = logger_with_points(tmp_path)
    logger.log_hyperparams({"seed": 0})
    logger.log_result({"seed": 0}, {"best/fid": 1.0}, 5)
    assert RunDirectory(tmp_path).points() == []


def test_closed_file_has_all_points(tmp_path):
    logger = logger_with_points(tmp_path, 0, 5)
    logger.close()
    assert logger.lines.closed
    assert [point["step"] for point in RunDirectory(tmp_path).points()] == [0, 5]


def test_full_disk_is_named_with_the_file(tmp_path):
    logger = logger_with_points(tmp_path, 0)
    size = (tmp_path / "metrics.jsonl").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
    try:
        for _ in range(2):  # the first call writes only a part of its line, and the second call writes nothing
            with pytest.raises(OSError, match=r"File too large|No space left") as raised:
                logger.log_metrics({"loss/generator": 1.0}, 5)
            assert raised.value.filename == str(tmp_path / "metrics.jsonl")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    MetricsFile(RunDirectory(tmp_path), resume_step=5).log_metrics({"loss/generator": 7.0}, 10)
    assert [point["step"] for point in RunDirectory(tmp_path).points()] == [0, 10]
