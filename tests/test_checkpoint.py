"""Checkpoints: never half a file, no code from strangers, and the one to resume from."""

import pytest
import torch

from ganexp.checkpoint import AtomicCheckpointIO, latest_checkpoint, read_checkpoint, remove_preemption_checkpoints
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory

CHECKPOINT = {"state_dict": {"a": torch.ones(2)}, "ganexp": {"step": 7}}


def test_checkpoint_is_replaced_in_one_piece(tmp_path, monkeypatch):
    path = tmp_path / "checkpoints" / "last.ckpt"
    io = AtomicCheckpointIO()
    io.save_checkpoint(CHECKPOINT, path)
    assert read_checkpoint(path)["ganexp"] == {"step": 7}

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        io.save_checkpoint(CHECKPOINT | {"ganexp": {"step": 8}}, path)
    assert read_checkpoint(path)["ganexp"] == {"step": 7}
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]


class Payload:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize("content", ["garbage", "payload", "other"])
def test_damaged_or_hostile_checkpoint_is_refused(tmp_path, capsys, content):
    path = tmp_path / "x.ckpt"
    if content == "garbage":
        path.write_bytes(b"not a checkpoint")
    else:
        torch.save({"state_dict": Payload()} if content == "payload" else {"weights": {}}, path)
    with pytest.raises(UserError, match="cannot be read"):
        read_checkpoint(path)
    assert "code ran" not in capsys.readouterr().out


def test_latest_checkpoint_is_last_not_the_preempted_one(tmp_path):
    run = RunDirectory(tmp_path)
    assert latest_checkpoint(run) == (None, 0)
    torch.save(CHECKPOINT | {"ganexp": {"step": 9}}, tmp_path / "hpc_ckpt_1.ckpt")
    assert latest_checkpoint(run) == (None, 0)
    AtomicCheckpointIO().save_checkpoint(CHECKPOINT, run.last)
    assert latest_checkpoint(run) == (run.last, 7)
    remove_preemption_checkpoints(run)
    assert not list(tmp_path.glob("hpc_ckpt_*"))
