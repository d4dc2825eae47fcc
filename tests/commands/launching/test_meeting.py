"""What the processes of a training tell each other before they are connected."""

import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace

import pytest
from omegaconf import DictConfig
from torch.distributed import TCPStore

from ganexp.commands.launching.connection import _reason, connected
from ganexp.commands.launching.launched import Launch
from ganexp.commands.launching.meeting import SharedRun, current_meeting, meet
from ganexp.commands.launching.together import together
from ganexp.commands.launching.worker import take_part
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory

STORE = "ganexp.commands.launching.store"


@pytest.fixture
def meetings():
    """Return one meeting twice: as the first process sees the meeting, and as another process sees it."""
    first = current_meeting()
    first.size = 2
    return first, meet(Launch("ganexp", 1, None, 1, *first.place))


def run_of(first, other):
    """Let the first process wait for another process, and return the run that the other process receives."""
    with ThreadPoolExecutor() as pool:
        run = pool.submit(other.run)
        first.wait_for_others(2)
        return run.result()


def test_others_get_the_first_run_and_nothing_after_it(meetings):
    first, other = meetings
    first.hand_out(SharedRun(DictConfig({"seed": 3}), "/runs/mine"))
    first.hand_out(1)
    run = run_of(first, other)
    assert (run.cfg.seed, run.path) == (3, "/runs/mine")


def test_reason_for_a_broken_connection_is_that_of_the_other(meetings):
    first, other = meetings
    first.hand_out(SharedRun(DictConfig({}), "/runs/mine"))
    run_of(first, other)
    broken = RuntimeError("Connection closed by peer [127.0.0.1]:4321")
    assert "See the output of the other process" in str(_reason(broken, first, []))
    assert _reason(RuntimeError("an error of this process"), first, []) is None
    other.report("out of memory: use schedule.accumulate=2")
    assert str(_reason(broken, first, [])).endswith("has failed. out of memory: use schedule.accumulate=2")
    assert _reason(RuntimeError("an error of both processes"), first, []) is None


def test_restarted_training_meets_anew_with_the_begun_run(tmp_path):
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    launch = Launch("torchrun", 0, None, 0, "127.0.0.1", store.port, has_store=True)
    first = meet(launch)
    assert first.begun_run() is None
    first.hand_out(SharedRun(DictConfig({"seed": 3}), str(tmp_path)))
    of_other = replace(launch, rank=1, local_rank=1)
    assert run_of(first, meet(of_other)).cfg.seed == 3
    with ThreadPoolExecutor() as pool:
        run = pool.submit(meet(of_other).run)  # the process of rank 1 arrives before the process of rank 0
        again = meet(launch)
        assert again.begun_run() is None  # the directory has no run.json, as if the run had been removed
        (tmp_path / "run.json").touch()
        assert again.begun_run() == tmp_path
        again.hand_out(SharedRun(DictConfig({"seed": 4}), str(tmp_path)))
        again.wait_for_others(2)
        assert run.result().cfg.seed == 4


def test_run_is_handed_out_before_all_others_are_there(meetings, monkeypatch, tmp_path):
    first, other = meetings
    connection = "ganexp.commands.launching.connection"
    monkeypatch.setattr(f"{connection}.current_meeting", lambda: first)
    monkeypatch.setattr(f"{connection}.others_of_machine", lambda *_: nullcontext([]))
    monkeypatch.setattr(f"{connection}.processes.join", lambda *_: None)
    monkeypatch.setattr(f"{STORE}.SECONDS_TO_MEET", 5)
    cfg = DictConfig({"trainer": {"devices": 3, "num_nodes": 1}, "schedule": {"batch_size": 6}})
    thread = threading.Thread(target=lambda: (other.run(), other.store.add("present", 1)))  # a third process joins
    thread.start()
    with connected(cfg, RunDirectory(tmp_path)):
        thread.join()


@pytest.fixture
def two_machines(meetings, monkeypatch):
    """Return a config for two machines with two devices each, and the `Launch` of a process on the second machine.

    For the second device of each machine, no process is started.
    """
    first, other = meetings
    connection, worker = "ganexp.commands.launching.connection", "ganexp.commands.launching.worker"
    monkeypatch.setattr(f"{connection}.current_meeting", lambda: first)
    monkeypatch.setattr(f"{connection}.others_of_machine", lambda *_: nullcontext([]))
    monkeypatch.setattr(f"{worker}.meet", lambda _: other)
    monkeypatch.setattr(f"{worker}.signals_delayed", lambda _: nullcontext())
    monkeypatch.setattr(f"{worker}.others_of_machine", lambda *_: nullcontext([]))
    monkeypatch.setenv("RANK", "")  # `take_part` sets RANK; monkeypatch restores RANK after the test
    cfg = DictConfig({"trainer": {"devices": 2, "num_nodes": 2}, "schedule": {"batch_size": 8}})
    return cfg, Launch("NODE_RANK=1", None, None, 0, *first.place, node=1, starts_others=True)


def ends_with(message, cfg, launch, run):
    """Check that the first process ends with `message`; return whether the process of `launch` fails, too."""
    with ThreadPoolExecutor() as pool:
        code = pool.submit(take_part, launch)
        with pytest.raises(UserError, match=message):
            connected(cfg, RunDirectory(run)).__enter__()
        return code.result() == 1


def test_process_that_ends_at_its_start_on_another_machine_ends_the_wait(two_machines, monkeypatch, tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    ended.wait()
    monkeypatch.setattr("ganexp.commands.launching.worker.others_of_machine", lambda *_: nullcontext([ended]))
    message = "On the machine with NODE_RANK=1, a process ended at its start, with exit code 3"
    assert ends_with(message, *two_machines, tmp_path)


def test_machine_with_too_large_a_number_ends_the_wait(two_machines, tmp_path):
    cfg, launch = two_machines
    third = replace(launch, by="NODE_RANK=2", node=2)
    assert ends_with("NODE_RANK=2: with trainer.num_nodes=2, machines have the numbers 0 to 1", cfg, third, tmp_path)


def test_single_process_that_torchrun_restarts_resumes_the_run(monkeypatch, tmp_path):
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    variables = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": store.port}
    for name, value in (variables | {"TORCHELASTIC_USE_AGENT_STORE": True, "TORCHELASTIC_RUN_ID": "1"}).items():
        monkeypatch.setenv(name, str(value))
    cfg = DictConfig({"trainer": {"devices": 1, "num_nodes": 1}})

    def begin_and_fail():
        with together("train") as begun, connected(cfg, RunDirectory(tmp_path)):
            assert begun is None
            (tmp_path / "run.json").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin_and_fail()
    with together("train") as begun:
        assert begun == tmp_path


def test_wait_for_others_says_how_many_and_ends_at_a_signal(meetings, monkeypatch, capfd):
    first, other = meetings
    monkeypatch.setattr(f"{STORE}.SECONDS_OF_SILENCE", 0.01)
    with pytest.raises(SystemExit) as stop:
        first.wait_for_others(3, lambda: first.store.add("asked", 1) > 2 and signal.raise_signal(signal.SIGTERM))
    assert stop.value.code == 128 + signal.SIGTERM
    assert f"waiting at 127.0.0.1:{first.place[1]} for 2 of 3 processes\n" in capfd.readouterr().err
    first.hand_out(SharedRun(DictConfig({"seed": 3}), "/runs/mine"))
    assert run_of(first, other).path == "/runs/mine"


def test_processes_that_do_not_arrive_are_counted(meetings, monkeypatch):
    first, _ = meetings
    monkeypatch.setattr(f"{STORE}.SECONDS_TO_MEET", 0.01)
    place = f"127.0.0.1:{first.place[1]}"
    with pytest.raises(UserError, match=f"2 of 3 processes did not come to {place} within 10 minutes"):
        first.wait_for_others(3)


def test_first_process_waits_until_others_know_the_exit_code(meetings):
    first, other = meetings
    first.size = None  # the number of processes is not known if users start them on several machines
    with ThreadPoolExecutor() as pool:
        code = pool.submit(other.run)
        time.sleep(0.3)
        first.hand_out(3)
        assert first.store.add("heard", 0) == 1
        assert code.result() == 3


def test_meeting_of_one_machine_is_closed_to_others():
    meeting = current_meeting()
    socket.create_connection(("127.0.0.1", meeting.place[1]), timeout=5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", meeting.place[1]), timeout=5)


def test_processes_that_do_not_meet_name_the_address(monkeypatch):
    monkeypatch.setattr(f"{STORE}.SECONDS_TO_MEET", 0.1)
    launch = Launch("NODE_RANK=1", None, None, 0, "127.0.0.1", 9, node=1)
    with pytest.raises(UserError, match=r"NODE_RANK=1: the processes .* at 127\.0\.0\.1, port 9"):
        meet(launch)


def test_program_that_is_no_store_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(f"{STORE}.SECONDS_TO_MEET", 0.1)
    monkeypatch.setattr(f"{STORE}.SECONDS_TO_CONNECT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        launch = Launch("NODE_RANK=1", None, None, 0, "127.0.0.1", silent.getsockname()[1], node=1)
        with pytest.raises(UserError, match="another program answers at this address"):
            meet(launch)
