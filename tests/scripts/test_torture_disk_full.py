"""A checkpoint that a full disk has damaged is reported as a fault, and does not end the script."""

import pytest
import torch
from torture_disk_full import _damage


def test_whole_checkpoint_is_no_fault(tmp_path):
    torch.save({"step": 1}, tmp_path / "last.ckpt")
    assert _damage(tmp_path / "last.ckpt") == []


@pytest.mark.parametrize("kept", [0, 10, 400], ids=["empty", "no archive", "half of it"])
def test_damaged_checkpoint_is_a_fault(kept, tmp_path):
    checkpoint = tmp_path / "last.ckpt"
    torch.save({"step": torch.arange(100)}, checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:kept])
    (fault,) = _damage(checkpoint)
    assert fault.startswith("last.ckpt is damaged: ")
