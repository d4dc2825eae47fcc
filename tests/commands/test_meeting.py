"""What the processes of a training tell each other before they are connected."""

from datetime import timedelta

import pytest
from omegaconf import DictConfig
from torch.distributed import TCPStore

from ganexp.commands.connection import _reason
from ganexp.commands.launched import Launch
from ganexp.commands.meeting import Meeting, Task, meet
from ganexp.errors import UserError


@pytest.fixture
def meetings():
    """Return the same meeting, as the first and as another process see it."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    other = meet(Launch("srun", 1, None, 1, "127.0.0.1", store.port))
    return Meeting(store, size=2), other


def test_others_get_the_first_task_and_nothing_after_it(meetings):
    first, other = meetings
    first.hand_out(Task(DictConfig({"seed": 3}), "/runs/mine"))
    first.hand_out(1)
    task = other.task(rank=1)
    assert (task.cfg.seed, task.path) == (3, "/runs/mine")


def test_reason_for_a_broken_connection_is_that_of_the_other(meetings):
    first, other = meetings
    broken = RuntimeError("Connection closed by peer [127.0.0.1]:4321")
    assert "see its output" in str(_reason(broken, first, []))
    assert _reason(RuntimeError("an error of this process"), first, []) is None
    other.report("out of memory: use schedule.accumulate=2")
    assert str(_reason(broken, first, [])).endswith("has failed. out of memory: use schedule.accumulate=2")


def test_processes_that_do_not_meet_name_the_address(monkeypatch):
    monkeypatch.setattr("ganexp.commands.meeting.TIME_TO_MEET", timedelta(seconds=0.1))
    launch = Launch("NODE_RANK=1", None, None, 0, "127.0.0.1", 9, node=1)
    with pytest.raises(UserError, match=r"NODE_RANK=1: the processes .* at 127\.0\.0\.1, port 9"):
        meet(launch)
