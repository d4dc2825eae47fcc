"""Checkpoints: files are always whole, code in them is not run, and a resume takes the right checkpoint."""

import resource
from collections import Counter, defaultdict, deque, namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch

from ganexp.checkpoint import AtomicCheckpointIO, latest_checkpoint, read_checkpoint, remove_preemption_checkpoints
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory

CHECKPOINT = {"state_dict": {"a": torch.ones(2)}, "ganexp": {"step": 7}}


def test_checkpoint_is_replaced_in_one_piece(tmp_path, monkeypatch):
    path = tmp_path / "checkpoints" / "last.ckpt"
    io = AtomicCheckpointIO(tmp_path)
    io.save_checkpoint(CHECKPOINT, path)
    assert read_checkpoint(path)["ganexp"] == {"step": 7}

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        io.save_checkpoint(CHECKPOINT | {"ganexp": {"step": 8}}, path)
    assert read_checkpoint(path)["ganexp"] == {"step": 7}
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]


def test_damaged_checkpoint_is_not_replaced_by_a_hidden_file(tmp_path):
    run = RunDirectory(tmp_path)
    for step, name in ((3, "best.ckpt"), (9, ".last-0123.ckpt")):
        AtomicCheckpointIO(tmp_path).save_checkpoint(CHECKPOINT | {"ganexp": {"step": step}}, run.last.with_name(name))
    run.last.write_bytes(b"damaged")
    assert latest_checkpoint(run) == (run.best, 3)


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
    AtomicCheckpointIO(tmp_path).save_checkpoint(CHECKPOINT, run.last)
    assert latest_checkpoint(run) == (run.last, 7)
    remove_preemption_checkpoints(run)
    assert not list(tmp_path.glob("hpc_ckpt_*"))


@pytest.mark.parametrize("name", ["thesis.txt", "thesis.ckpt", "link.ckpt", "run/../thesis.ckpt", "directory", "run"])
@pytest.mark.filterwarnings("ignore:.*was not removed")
def test_files_of_others_are_not_removed(tmp_path, name):
    run = tmp_path / "run"
    run.mkdir()
    for file in (tmp_path / "thesis.txt", tmp_path / "thesis.ckpt", tmp_path / "directory" / "a.ckpt", run / "a.txt"):
        file.parent.mkdir(exist_ok=True)
        file.write_text("years of work")
    (run / "link.ckpt").symlink_to(tmp_path / "thesis.ckpt")
    before = sorted(tmp_path.rglob("*"))
    AtomicCheckpointIO(run).remove_checkpoint(run / name if name == "link.ckpt" else tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


def test_checkpoints_of_the_run_are_removed(tmp_path):
    io = AtomicCheckpointIO(tmp_path / "run")
    elsewhere, earlier = tmp_path / "mine" / "step=2.ckpt", tmp_path / "run" / "checkpoints" / "step=1.ckpt"
    io.save_checkpoint(CHECKPOINT, elsewhere)
    AtomicCheckpointIO(tmp_path / "run").save_checkpoint(CHECKPOINT, earlier)
    for path in (elsewhere, earlier):
        io.remove_checkpoint(str(path))
        assert not path.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_checkpoint_that_is_not_finite_is_not_saved(tmp_path, value):
    path, io = tmp_path / "last.ckpt", AtomicCheckpointIO(tmp_path)
    io.save_checkpoint(CHECKPOINT, path)
    weights = {"a": torch.ones(2), "b": torch.tensor([[1.0], [value]]), "count": torch.tensor(3)}
    with pytest.raises(UserError, match="NaN or infinity in b at step 8"):
        io.save_checkpoint({"state_dict": weights, "ganexp": {"step": 8}}, path)
    assert read_checkpoint(path)["ganexp"] == {"step": 7}


Pair = namedtuple("Pair", "a b")
UNREADABLE = {
    "numpy.float64": np.float64(1),
    "numpy.ndarray": np.ones(2),
    "PosixPath": Path("a"),
    "Pair": Pair(1, 2),
    "deque": deque([1]),
    "defaultdict": defaultdict(int),
    "function": lambda: 0,
}


@pytest.mark.parametrize("nested", [lambda x: {"best": x}, lambda x: {"best": [1, {"a": (x,)}]}])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_value_that_cannot_be_loaded_is_not_saved(tmp_path, kind, nested):
    path, io = tmp_path / "last.ckpt", AtomicCheckpointIO(tmp_path)
    io.save_checkpoint(CHECKPOINT, path)
    with pytest.raises(UserError, match=rf"callbacks\.Own\.best\S*, of type \S*{kind}: .*\n.*state_dict"):
        io.save_checkpoint(CHECKPOINT | {"ganexp": {"step": 8}, "callbacks": {"Own": nested(UNREADABLE[kind])}}, path)
    assert read_checkpoint(path)["ganexp"] == {"step": 7}


def test_key_that_cannot_be_loaded_is_not_saved(tmp_path):
    with pytest.raises(UserError, match=r"a key of callbacks\.Own, of type numpy\.int64"):
        AtomicCheckpointIO(tmp_path).save_checkpoint({"callbacks": {"Own": {np.int64(1): 1}}}, tmp_path / "a.ckpt")


def test_every_value_that_can_be_loaded_is_saved(tmp_path):
    plain = [None, True, 1, 0.5, "a", b"a", 1j, {1}, (2,), Counter("a"), torch.Size([1]), torch.float16, torch.ones(2)]
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([parameter])
    parameter.sum().backward()
    optimizer.step()
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    states = {
        "a": plain,
        "b": torch.nn.BatchNorm1d(2).state_dict(),
        "c": optimizer.state_dict(),
        "d": rate.state_dict(),
        "e": parameter,
    }
    AtomicCheckpointIO(tmp_path).save_checkpoint(CHECKPOINT | states, tmp_path / "a.ckpt")
    assert read_checkpoint(tmp_path / "a.ckpt")["a"][:-1] == plain[:-1]


def test_checkpoint_with_an_object_is_not_called_damaged(tmp_path):
    torch.save(CHECKPOINT | {"callbacks": {"Own": Path("a")}}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=r"a\.ckpt cannot be read: it contains pathlib\S+, but only tensors") as raised:
        read_checkpoint(tmp_path / "a.ckpt")
    assert "damaged" not in str(raised.value)


@pytest.mark.parametrize("megabytes", [0.1, 3.0])  # torch writes small tensors only at the end of saving
def test_checkpoint_on_a_full_disk_names_the_file(tmp_path, megabytes):
    path, io = tmp_path / "last.ckpt", AtomicCheckpointIO(tmp_path)
    io.save_checkpoint(CHECKPOINT, path)
    large = CHECKPOINT | {"state_dict": {"a": torch.ones(int(megabytes * 2**18))}}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            io.save_checkpoint(large, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.filename == str(path)
    assert read_checkpoint(path)["ganexp"] == {"step": 7}
    assert list(tmp_path.iterdir()) == [path]
