"""What the processes of a training tell each other before they are connected."""

import socket
import threading
import time
from dataclasses import replace

import pytest
from omegaconf import DictConfig
from torch.distributed import TCPStore

from ganexp.commands.connection import _reason
from ganexp.commands.launched import Launch
from ganexp.commands.meeting import Task, current_meeting, meet
from ganexp.errors import UserError


@pytest.fixture
def meetings():
    """Return the same meeting, as the first and as another process see it."""
    first = current_meeting()
    first.size = 2
    return first, meet(Launch("ganexp", 1, None, 1, "127.0.0.1", first.port))


def test_others_get_the_first_task_and_nothing_after_it(meetings):
    first, other = meetings
    first.hand_out(Task(DictConfig({"seed": 3}), "/runs/mine"))
    first.hand_out(1)
    task = other.task()
    assert (task.cfg.seed, task.path) == (3, "/runs/mine")


def test_reason_for_a_broken_connection_is_that_of_the_other(meetings):
    first, other = meetings
    broken = RuntimeError("Connection closed by peer [127.0.0.1]:4321")
    assert "see its output" in str(_reason(broken, first, []))
    assert _reason(RuntimeError("an error of this process"), first, []) is None
    other.report("out of memory: use schedule.accumulate=2")
    assert str(_reason(broken, first, [])).endswith("has failed. out of memory: use schedule.accumulate=2")
    assert _reason(RuntimeError("an error of both processes"), first, []) is None


def test_restarted_training_meets_anew():
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    launch = Launch("torchrun", 0, None, 0, "127.0.0.1", store.port, attempt="0", has_store=True)
    meet(launch).hand_out(1)
    again = meet(replace(launch, attempt="1"))
    again.hand_out(Task(DictConfig({"seed": 4}), "/runs/again"))
    assert meet(replace(launch, attempt="1", rank=1, local_rank=1)).task().cfg.seed == 4


def test_first_process_waits_until_others_know_the_exit_code(meetings):
    first, other = meetings
    first.size = None  # as if started by hand on several machines
    codes = []
    thread = threading.Thread(target=lambda: codes.append(other.task()))
    thread.start()
    while not first.store.add("present", 0):
        time.sleep(0.01)
    first.hand_out(3)
    assert first.store.add("heard", 0) == 1
    thread.join()
    assert codes == [3]


def test_meeting_of_one_machine_is_closed_to_others():
    meeting = current_meeting()
    socket.create_connection(("127.0.0.1", meeting.port), timeout=5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", meeting.port), timeout=5)


def test_processes_that_do_not_meet_name_the_address(monkeypatch):
    monkeypatch.setattr("ganexp.commands.meeting.SECONDS_TO_MEET", 0.1)
    launch = Launch("NODE_RANK=1", None, None, 0, "127.0.0.1", 9, node=1)
    with pytest.raises(UserError, match=r"NODE_RANK=1: the processes .* at 127\.0\.0\.1, port 9"):
        meet(launch)
