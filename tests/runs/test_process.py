"""A run that died is distinguished from a run that is still running."""

import os
import subprocess
import sys

import pytest

from ganexp.runs.process import current_status, this_process


def ended_process():
    """Return the record of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return this_process() | {"pid": process.pid}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "running"),
        ({"started": 17}, "died"),  # the process id was given to a later process
        ({"boot": "another"}, "died"),
        ({"namespace": "of a container"}, "running"),
        ({"host": "elsewhere"}, "running"),
        ({"pid": 0}, "running"),
        ({"pid": "17"}, "running"),
        ({"pid": 10**30}, "died"),
    ],
    ids=str,
)
def test_status_of_a_running_run_follows_its_process(changes, status):
    assert current_status({"status": "running", "process": this_process() | changes}) == status


def test_run_whose_process_ended_has_died():
    assert current_status({"status": "running", "process": ended_process()}) == "died"


@pytest.mark.parametrize("process", [None, [], "text", {}])
def test_run_without_a_record_of_its_process_is_running(process):
    assert current_status({"status": "running", "process": process}) == "running"


@pytest.mark.parametrize("status", ["finished", "interrupted", "failed", None])
def test_recorded_end_is_not_changed(status):
    assert current_status({"status": status, "process": ended_process()}) == status


def test_this_process_is_identified():
    record = this_process()
    assert record["pid"] == os.getpid()
    assert record == this_process()
