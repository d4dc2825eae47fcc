"""The end of a run: how it is recorded, what happens if nothing can be written, and what a resumed run prints."""

import errno

import pytest
from helpers.config import TINY, raw_config
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import open_dict

from ganexp.commands.run_status import recorded_status, say_how_it_ended, say_if_bits_may_differ
from ganexp.errors import UserError
from ganexp.runs.process import this_process
from ganexp.runs.run_directory import RunDirectory

FULL = OSError(errno.ENOSPC, "No space left on device", "last.ckpt")


def end(run, error):
    """Let a run end with an error, and return the exception that `recorded_status` raises."""
    with pytest.raises(BaseException) as raised, recorded_status(run):  # noqa: PT011 (KeyboardInterrupt, too)
        raise error
    return raised.value


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (UserError("the run diverged"), "failed", "the run diverged"),
        (ValueError("odd"), "failed", "ValueError: odd"),
        (FULL, "failed", f"OSError: {FULL}"),
        (KeyboardInterrupt(), "interrupted", None),
        (SystemExit(143), "interrupted", None),
    ],
    ids=str,
)
def test_end_of_a_run_is_recorded(tmp_path, error, status, reason):
    run = RunDirectory(tmp_path)
    end(run, error)
    assert (run.metadata()["status"], run.metadata().get("error")) == (status, reason)


def test_stopped_job_names_the_sweep(tmp_path, monkeypatch, capsys):
    own = raw_config(*TINY, "hydra/launcher=basic", f"hydra.sweep.dir={tmp_path}", with_hydra=True)
    with open_dict(own.hydra):
        own.hydra.mode = RunMode.MULTIRUN
    monkeypatch.setattr(HydraConfig.instance(), "cfg", own)
    end(RunDirectory(tmp_path / "0-seed-1"), KeyboardInterrupt())
    assert capsys.readouterr().out.endswith(f"Resume with: ganexp resume {tmp_path} hydra/launcher=basic\n")
    end(RunDirectory(tmp_path.parent / "other"), KeyboardInterrupt())
    assert capsys.readouterr().out.endswith(f"Resume with: ganexp resume {tmp_path.parent / 'other'}\n")


@pytest.mark.parametrize("mode", [RunMode.RUN, RunMode.MULTIRUN])
def test_command_that_resumes_own_classes_trusts_their_package(tmp_path, monkeypatch, capsys, mode):
    own = raw_config(*TINY, f"hydra.sweep.dir={tmp_path}", with_hydra=True)
    with open_dict(own.hydra):
        own.hydra.mode = mode
    monkeypatch.setattr(HydraConfig.instance(), "cfg", own)
    run = RunDirectory(tmp_path / "0-seed-1")
    run.path.mkdir()
    run.config.write_text("loss: {adversarial: {_target_: my_losses.Mine}}\n")
    end(run, KeyboardInterrupt())
    assert "Resume with: GANEXP_TRUST=my_losses ganexp resume " in capsys.readouterr().out


def test_full_disk_is_the_error_even_if_its_record_fails(tmp_path, monkeypatch, capsys):
    run = RunDirectory(tmp_path)

    def fail(**values):
        raise FULL

    monkeypatch.setattr(run, "update_metadata", fail)
    assert end(run, FULL) is FULL
    out = capsys.readouterr().out
    assert "run.json cannot be updated: No space left on device" in out
    assert "When there is space: ganexp resume" in out


def test_resume_says_that_a_run_died(capsys):
    say_how_it_ended({"status": "running", "process": this_process()})
    say_how_it_ended({"status": "finished"})
    assert not capsys.readouterr().out
    say_how_it_ended({"status": "running", "process": this_process() | {"started": 17}})
    assert "the run died: its process is gone" in capsys.readouterr().out


def test_other_number_of_threads_is_named(capsys):
    for before in (None, "CPU, 2 threads"):
        say_if_bits_may_differ({"device": before}, "CPU, 2 threads")
    assert not capsys.readouterr().out
    say_if_bits_may_differ({"device": "CPU, 2 threads"}, "CPU, 4 threads")
    out = capsys.readouterr().out
    assert "CPU, 2 threads; now CPU, 4 threads" in out
    assert "the last bits of the results may differ" in out
