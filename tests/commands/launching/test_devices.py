"""The command `ganexp trainer=ddp`: its two processes stop together, and a killed run can be resumed."""

import json
import os
import signal
import time
from pathlib import Path
from unittest import mock

import pytest
from helpers.cli import ganexp, ganexp_process
from helpers.config import TINY
from helpers.processes import command_line, wait_for_end
from helpers.states import WITH_STATE, last_checkpoint, logged_points, same_state, wait_for_step
from torch.distributed import TCPStore

DDP = ("trainer=ddp", "trainer.accelerator=cpu")
WORDS = (
    *DDP,
    *WITH_STATE,
    "schedule.steps=36",
    "schedule.evaluate_every=12",
    "trainer.log_every=6",
    "callbacks=[sample_grids,progress]",
    "hydra.run.dir=run",
)


def children(process):
    """Return the ids of a command's child processes in which the module ganexp.commands.launching.worker runs."""
    numbers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [number for number in numbers if "ganexp.commands.launching.worker" in command_line(number)]


def launched(cwd, store, *words):
    """Start and return two processes of a SLURM job as torchrun would, with `store` in place of torchrun's store."""
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    common |= {"TORCHELASTIC_USE_AGENT_STORE": "True"}
    common |= {"SLURM_JOB_ID": "17", "PATH": f"{cwd}{os.pathsep}{os.environ['PATH']}"}
    (cwd / "scontrol").write_text('#!/bin/sh\necho "$@" >> requeued\n')
    (cwd / "scontrol").chmod(0o755)
    started = []
    for rank in ("0", "1"):
        with mock.patch.dict(os.environ, common | {"RANK": rank, "LOCAL_RANK": rank}):
            started.append(ganexp_process(*words, cwd=cwd))
    return started


def new_store():
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


@pytest.mark.slow
def test_run_preempted_and_killed_ends_with_the_same_bits(tmp_path):
    (tmp_path / "whole").mkdir()
    store = new_store()  # this variable keeps the store alive
    whole, other = launched(tmp_path / "whole", store, *WORDS)
    text, _ = whole.communicate(timeout=100)
    assert (whole.returncode, other.wait(60)) == (0, 0), text
    assert "processes: 2, each with 16 images of a batch" in text

    run = tmp_path / "run"
    store = new_store()
    first, second = launched(tmp_path, store, *WORDS)
    wait_for_step(run, 12, first)
    for process in (first, second):  # srun, too, signals one process after the other
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.03)
    texts = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [128 + signal.SIGUSR1] * 2, texts
    assert "scontrol requeue 17: SLURM will start the job again" in texts[0]
    assert texts[1] == ""
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert (tmp_path / "requeued").read_text() == "requeue 17\n"

    first, second = launched(tmp_path, store, *WORDS)
    wait_for_step(run, 18, first)
    second.kill()
    text, _ = first.communicate(timeout=60)
    assert first.returncode == 1, text
    assert "has restarted the processes: they resume the run that they have begun\nresuming from step 1" in text
    assert "Another process of this training has ended" in text
    assert [path.name for path in tmp_path.glob("run*")] == ["run"]

    process = ganexp_process("resume", "run", cwd=tmp_path)
    wait_for_step(run, 24, process)
    (other,) = children(process)
    os.kill(int(other), signal.SIGKILL)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 1, text
    assert "Another process of this training has ended, with exit code -9" in text
    assert json.loads((run / "run.json").read_text())["status"] == "failed"

    process = ganexp_process("resume", "run", cwd=tmp_path)
    wait_for_step(run, 30, process)
    others = children(process)
    assert len(others) == 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for_end(others)

    store = new_store()
    first, second = launched(tmp_path, store, "resume", "run")
    text, _ = first.communicate(timeout=100)
    assert (first.returncode, second.wait(60)) == (0, 0), text
    undisturbed = tmp_path / "whole" / "run"
    for part in ("state_dict", "optimizer_states", "StreamData"):
        assert same_state(last_checkpoint(run)[part], last_checkpoint(undisturbed)[part]), part
    assert logged_points(run) == logged_points(undisturbed)
    assert {path.name for path in (run / "samples").iterdir()} == {
        path.name for path in (undisturbed / "samples").iterdir()
    }


@pytest.mark.slow
def test_refused_config_is_printed_once_and_ends_all(tmp_path):
    store = new_store()  # this variable keeps the store alive
    first, second = launched(tmp_path, store, *DDP, *TINY, "trainer.devices=3")
    texts = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [1, 1]
    assert "RANK=0 WORLD_SIZE=2 started 2 processes, and trainer.devices=3 trainer.num_nodes=1 needs 3" in texts[0]
    assert texts[1] == ""


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (("schedule.batch_size=9",), "use schedule.batch_size=8"),
        (("trainer.cuda_graph=true",), "use trainer.cuda_graph=false"),
        (("trainer.compile=true",), "use trainer.compile=false"),
        (("trainer.sync_batchnorm=true",), "trainer.sync_batchnorm=true: torch's synchronised batch norm needs GPUs"),
        (("loss/modifier=replay",), "use one device, or leave replay out"),
        (("trainer.num_nodes=2",), "start ganexp with srun; or start it on every machine, with torchrun"),
        (("-m", "seed=1,2"), "trainer.devices=2 trainer.num_nodes=1: a job of a sweep trains on one device"),
    ],
)
def test_settings_refused_with_several_devices(tmp_path, words, fix):
    done = ganexp(*DDP, *TINY, *words, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert fix in done.stderr + done.stdout
