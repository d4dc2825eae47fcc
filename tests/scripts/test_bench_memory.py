"""The script that measures the memory of a long run, with a short one."""

import json
import os
import subprocess
import sys

import pytest
from bench_memory import Use, growth

CODE = """
import json, bench_memory
bench_memory.SETTLED = 0.5
found = bench_memory.growth(bench_memory.measure(400, ["callbacks=[curves,progress]"], evaluations=4))
print(json.dumps([found["memory"], found["files"], found["threads"]]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the script reads /proc")
def test_memory_files_and_threads_of_a_run_stay_constant(pytestconfig):
    """In a process of its own, without the threads of other tests."""
    environment = os.environ | {"PYTHONPATH": str(pytestconfig.rootpath / "scripts")}
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    memory, files, threads = json.loads(done.stdout.splitlines()[-1])
    assert memory < 0.01
    assert len(files) == len(threads) == 1


def test_growth_is_that_after_the_first_tenth():
    uses = [Use(0, 100, 8, 2), Use(10, 200, 10, 2), Use(50, 210, 10, 3), Use(100, 220, 10, 2)]
    assert growth(uses) == {"memory": pytest.approx(0.1), "from": uses[1], "files": [10], "threads": [2, 3]}
