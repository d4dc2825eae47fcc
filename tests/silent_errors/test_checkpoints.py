"""A kill at any moment leaves every file of a run whole, with either the old or the new content."""

import contextlib
import os
import sys
import tempfile

import pytest
import torch
from helpers.cli import ganexp

from ganexp import checkpoint
from ganexp.checkpoint import AtomicCheckpointIO, read_checkpoint

pytestmark = pytest.mark.slow

SMALL = (
    "schedule.steps=1",
    "schedule.evaluate_every=1",
    "schedule.batch_size=8",
    "metrics.samples=40",
    "metrics.extractor.updates=5",
    "metrics/score=[fid]",
    "logger=[tensorboard,csv]",
    "name=run",
)

writes: list[tuple[str, str, str]] = []
_watched: list[str] = []  # the watched directory, if there is one


def _record(event, arguments):
    """Record each file that is overwritten in the watched directory, or moved or copied into this directory."""
    if not _watched:
        return
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(_watched[0]):
        path, mode, flags = arguments
        overwrites = (flags or 0) & os.O_TRUNC or (mode is not None and "w" in mode)
        if overwrites and os.path.exists(path):
            writes.append(("overwritten", path, ""))
    if event in ("os.rename", "shutil.copyfile") and str(arguments[1]).startswith(_watched[0]):
        writes.append((event, str(arguments[1]), str(arguments[0])))


sys.addaudithook(_record)  # the hook stays, but records only while a directory is watched


@contextlib.contextmanager
def watching(directory):
    """Collect what is written below `directory`."""
    writes.clear()
    _watched.append(str(directory))
    try:
        yield writes
    finally:
        _watched.clear()


def test_every_file_of_a_run_is_replaced_beside_itself(tmp_path):
    with watching(tmp_path / "outputs") as found:
        ganexp(*SMALL, cwd=tmp_path)
        (run,) = (tmp_path / "outputs" / "run").iterdir()
        ganexp("resume", str(run), "schedule.steps=2", cwd=tmp_path)
        ganexp("evaluate", f"ckpt={run}", cwd=tmp_path)
        ganexp("evaluate", f"ckpt={run}", cwd=tmp_path)
    opened = [os.path.basename(path) for kind, path, _source in found if kind != "os.rename"]
    assert set(opened) <= {".lock"}  # an empty file
    moves = [(source, target) for kind, target, source in found if kind == "os.rename"]
    moved = {os.path.basename(target) for _source, target in moves}
    assert {"last.ckpt", "best.ckpt", "run.json", "config.yaml", "curves.png", "scores.json"} <= moved
    assert [source for source, target in moves if os.path.dirname(source) != os.path.dirname(target)] == []


@pytest.mark.parametrize("name", ["last.ckpt", "best.ckpt"])
def test_kill_while_saving_leaves_the_previous_checkpoint(tmp_path, monkeypatch, name):
    path = tmp_path / "checkpoints" / name
    state = {"state_dict": {"a": torch.ones(2)}, "ganexp": {"step": 7}}
    AtomicCheckpointIO(tmp_path).save_checkpoint(state, path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))  # saving must not use the temporary directory

    def stop_halfway(content, file):
        file.write(b"half a checkpoint")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.torch, "save", stop_halfway)
        with pytest.raises(KeyboardInterrupt):
            AtomicCheckpointIO(tmp_path).save_checkpoint(state | {"ganexp": {"step": 8}}, path)
    assert read_checkpoint(path)["ganexp"]["step"] == 7
    AtomicCheckpointIO(tmp_path).save_checkpoint(state | {"ganexp": {"step": 8}}, path)
    assert read_checkpoint(path)["ganexp"]["step"] == 8
