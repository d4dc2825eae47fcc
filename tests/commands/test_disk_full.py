"""A run that ends because the disk is full keeps its last checkpoint.

When such a run is resumed, it ends with the same bits as an undisturbed run.
"""

import json
import resource
import shutil
from contextlib import contextmanager

import pytest
from helpers.cli import ganexp
from helpers.config import TINY
from helpers.states import last_checkpoint, logged_points, same_state

pytestmark = pytest.mark.slow

BASE = (*TINY, "loss.n_critic=1", "callbacks=[sample_grids,progress]", "logger=[tensorboard,csv]", "trainer=cpu")


@contextmanager
def files_up_to(size):
    """Limit the size of files within the `with` block, so that writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a directory with a finished run and a run that was stopped half-way."""
    cwd = tmp_path_factory.mktemp("runs")
    ganexp(*BASE, "hydra.run.dir=whole", cwd=cwd)
    ganexp(*BASE, "trainer.max_time=00:00:00:00", "hydra.run.dir=half", cwd=cwd)
    config = cwd / "half" / "config.yaml"
    config.write_text(config.read_text().replace("max_time: 00:00:00:00", "max_time: null"))
    return cwd


@pytest.mark.parametrize("file", ["checkpoints/last.ckpt", "samples/step-0000004.png", "config.yaml"])
def test_run_on_a_full_disk_keeps_its_checkpoint(runs, tmp_path, file):
    run, whole = tmp_path / "run", runs / "whole"
    shutil.copytree(runs / "half", run)
    content = (run / "checkpoints" / "last.ckpt").read_bytes()
    with files_up_to(int(0.98 * (whole / file).stat().st_size)):
        stopped = ganexp("resume", "run", cwd=tmp_path, check=False)
    assert stopped.returncode == 1
    assert "File too large" in stopped.stderr or "No space left" in stopped.stderr
    assert "Free some space" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert len(stopped.stderr.splitlines()) <= 10
    assert (run / "checkpoints" / "last.ckpt").read_bytes() == content
    assert json.loads((run / "run.json").read_text())["status"] in ("failed", "running", "interrupted")
    ganexp("resume", "run", cwd=tmp_path)
    assert same_state(last_checkpoint(run)["state_dict"], last_checkpoint(whole)["state_dict"])
    assert logged_points(run) == logged_points(whole)


@pytest.mark.parametrize("size", [0, 3000])  # bytes: too few for the files in .hydra or for config.yaml
def test_new_run_on_a_full_disk_leaves_nothing(tmp_path, size):
    with files_up_to(size):
        refused = ganexp(*BASE, "hydra.run.dir=run", cwd=tmp_path, check=False)
    assert refused.returncode == 1
    assert "File too large" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "run").exists()
