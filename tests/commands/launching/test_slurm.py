"""If SLURM preempts the job of a training on several devices, ganexp puts this job into SLURM's queue again."""

import signal

import pytest

from ganexp.commands.launching.slurm import requeued_if_preempted


def end(code):
    with pytest.raises(SystemExit) as stop, requeued_if_preempted():
        raise SystemExit(code)
    assert stop.value.code == code


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Return the file to which a stand-in for `scontrol` writes its arguments."""
    script = tmp_path / "scontrol"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    return tmp_path / "calls"


def test_job_of_an_array_is_requeued_by_its_number_there(calls, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "5")
    end(128 + signal.SIGUSR1)
    assert calls.read_text() == "requeue 12_5\n"


def test_other_ends_requeue_nothing(calls):
    end(128 + signal.SIGTERM)
    end(0)
    assert not calls.exists()


def test_missing_scontrol_is_reported(calls, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    end(128 + signal.SIGUSR1)
    assert "scontrol requeue 17: [Errno 2]" in capsys.readouterr().out
