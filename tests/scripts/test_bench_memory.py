"""The script that measures the memory of a long run is tested with a short run."""

import sys

import bench_memory
import pytest
from bench_memory import Use, growth, measure
from helpers.processes import in_new_process


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the script reads /proc")
def test_memory_files_and_threads_of_a_run_stay_constant(monkeypatch):
    """The run has its own process, in which there are no threads of other tests."""
    monkeypatch.setattr(bench_memory, "SETTLED", 0.5)
    found = growth(in_new_process(measure, 400, ["callbacks=[curves,progress]"], 4))
    assert found["memory"] < 0.01
    assert len(found["files"]) == len(found["threads"]) == 1


def test_growth_is_that_after_the_first_tenth():
    uses = [Use(0, 100, 8, 2), Use(10, 200, 10, 2), Use(50, 210, 10, 3), Use(100, 220, 10, 2)]
    assert growth(uses) == {"memory": pytest.approx(0.1), "from": uses[1], "files": [10], "threads": [2, 3]}
