"""The table of a sweep."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock

from ganexp.errors import UserError
from ganexp.runs.sweep_directory import SweepDirectory


def test_create_starts_a_table_and_continues_it(tmp_path):
    sweep = SweepDirectory(tmp_path / "swept")
    sweep.create(["seed=0,1"])
    sweep.update_job("00-seed-0", status="finished")
    sweep.lock.release()
    again = SweepDirectory(tmp_path / "swept")
    again.create(["seed=0,1"])
    table = again.read()
    assert set(table) == {"overrides", "started", "jobs"}
    assert table["overrides"] == ["seed=0,1"]
    assert table["jobs"] == {"00-seed-0": {"status": "finished"}}


def test_create_refuses_other_overrides(tmp_path):
    SweepDirectory(tmp_path).create(["seed=0,1"])
    with pytest.raises(UserError, match=r"holds another sweep: seed=0,1\nResume that one with ganexp sweep.resume="):
        SweepDirectory(tmp_path).create(["seed=0,2"])


def test_create_refuses_a_sweep_that_runs(tmp_path):
    with FileLock(tmp_path / ".lock"), pytest.raises(UserError, match="is being swept by another process"):
        SweepDirectory(tmp_path).create(["seed=0,1"])


def test_update_job_from_many_threads_loses_nothing(tmp_path):
    sweep = SweepDirectory(tmp_path)
    sweep.create([])

    def update(number: int) -> None:
        own = SweepDirectory(tmp_path)
        own.update_job(f"{number:02}", status="running")
        own.update_job(f"{number:02}", status="finished", objective=number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(update, reversed(range(12))))
    jobs = sweep.read()["jobs"]
    assert list(jobs) == [f"{number:02}" for number in range(12)]
    assert [job["objective"] for job in jobs.values()] == list(range(12))


def test_discard_removes_a_sweep_without_jobs(tmp_path):
    sweep = SweepDirectory(tmp_path)
    sweep.create(["seed=0,1"])
    (tmp_path / "multirun.yaml").touch()  # Hydra's
    sweep.discard_if_no_job_started()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["job", "file"])
def test_discard_keeps_a_sweep_that_holds_something(tmp_path, content):
    sweep = SweepDirectory(tmp_path)
    sweep.create(["seed=0,1"])
    if content == "job":
        sweep.update_job("00-seed-0", status="running")
    else:
        (tmp_path / "notes.txt").touch()
    sweep.discard_if_no_job_started()
    assert json.loads((tmp_path / "sweep.json").read_text())["overrides"] == ["seed=0,1"]
