"""The directory of a sweep: its creation, its jobs and its removal."""

import json

import pytest
from filelock import FileLock

from ganexp.errors import UserError
from ganexp.runs.process import this_process
from ganexp.runs.run_directory import RunDirectory
from ganexp.runs.sweep_directory import SweepDirectory


def test_create_starts_a_sweep_and_continues_it(tmp_path):
    sweep = SweepDirectory(tmp_path / "swept")
    sweep.create(["seed=0,1"])
    content = sweep.file.read_bytes()
    sweep.lock.release()
    SweepDirectory(tmp_path / "swept").create(["seed=0,1"])
    assert sweep.file.read_bytes() == content
    assert set(sweep.read()) == {"overrides", "directory", "started"}
    assert sweep.read()["overrides"] == ["seed=0,1"]


def test_create_refuses_other_overrides(tmp_path):
    SweepDirectory(tmp_path).create(["seed=0,1"])
    with pytest.raises(UserError, match=r"has another sweep: seed=0,1\nResume it with ganexp resume "):
        SweepDirectory(tmp_path).create(["seed=0,2"])


def test_create_refuses_a_sweep_that_runs(tmp_path):
    with FileLock(tmp_path / ".lock"), pytest.raises(UserError, match="another process is running this sweep"):
        SweepDirectory(tmp_path).create(["seed=0,1"])


def test_jobs_are_the_run_directories_in_their_order(tmp_path):
    for name in ("9-seed-9", "10-seed-10", "2-seed-2", "nested/3"):
        run = RunDirectory(tmp_path / name)
        run.path.mkdir(parents=True)
        run.update_metadata(status="finished", overrides=[name])
    (tmp_path / "11-seed-11").mkdir()
    (tmp_path / "11-seed-11" / "run.json").touch()  # a job that has just taken its directory
    (tmp_path / "12-seed-12" / ".hydra").mkdir(parents=True)  # a job that has not started
    jobs = SweepDirectory(tmp_path).jobs()
    assert list(jobs) == ["2-seed-2", "9-seed-9", "10-seed-10", "11-seed-11", "nested/3"]
    assert jobs["9-seed-9"] == {"status": "finished", "overrides": ["9-seed-9"]}
    assert jobs["11-seed-11"] == {"status": "running"}


def test_job_whose_process_is_gone_has_died(tmp_path):
    processes = {"0": this_process(), "1": this_process() | {"started": 17}}
    for name, process in processes.items():
        (tmp_path / name).mkdir()
        RunDirectory(tmp_path / name).update_metadata(status="running", process=process)
    assert [job["status"] for job in SweepDirectory(tmp_path).jobs().values()] == ["running", "died"]


def test_discard_removes_a_sweep_without_jobs(tmp_path):
    sweep = SweepDirectory(tmp_path)
    sweep.create(["seed=0,1"])
    (tmp_path / "multirun.yaml").touch()  # Hydra writes this file
    sweep.discard_if_no_job_started()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["job", "file"])
def test_discard_keeps_a_sweep_that_holds_something(tmp_path, content):
    sweep = SweepDirectory(tmp_path)
    sweep.create(["seed=0,1"])
    if content == "job":
        (tmp_path / "00-seed-0").mkdir()
    else:
        (tmp_path / "notes.txt").touch()
    sweep.discard_if_no_job_started()
    assert json.loads((tmp_path / "sweep.json").read_text())["overrides"] == ["seed=0,1"]
