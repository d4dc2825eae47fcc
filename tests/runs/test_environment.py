"""What run.json records about the versions, the machine, the command and the code."""

import subprocess
import sys
from datetime import datetime

import pytest
import torch

import ganexp
from ganexp.runs.environment import COMMIT_FILE, TYPED_COMMAND, environment, now, own_state


def git(cwd, *arguments):
    """Run a Git command in `cwd`, and return its output."""
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def test_environment_names_versions_machine_and_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(TYPED_COMMAND, raising=False)
    monkeypatch.setattr(sys, "argv", ["ganexp", "loss=hinge"])
    values = environment()
    assert values["ganexp"] == ganexp.__version__
    assert torch.__version__.startswith(values["versions"]["torch"])
    assert values["python"] == ".".join(map(str, sys.version_info[:3]))
    assert values["command"] == ["loss=hinge"]
    assert values["repository"] == {"commit": None, "dirty": False}
    assert (values["ganexp_commit"], values["ganexp_dirty"]) == tuple(own_state().values())


def test_environment_names_the_command_that_was_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(TYPED_COMMAND, '["-m", "name=\\udc80"]')  # a byte that is not UTF-8
    monkeypatch.setattr(sys, "argv", ["of-a-launcher", "x.pickle"])
    assert environment()["command"] == ["-m", "name=\udc80"]


def test_environment_names_the_commit_and_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "x")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    assert environment()["repository"] == {"commit": head, "dirty": False}
    (tmp_path / "new.py").touch()
    assert environment()["repository"] == {"commit": head, "dirty": True}


def test_own_commit_is_that_of_ganexps_checkout(tmp_path):
    package = tmp_path / "src" / "ganexp"
    package.mkdir(parents=True)
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "x")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    assert own_state(package) == {"commit": head, "dirty": False}
    (package / "new.py").touch()
    assert own_state(package) == {"commit": head, "dirty": True}


def test_own_commit_of_an_installed_package_is_stored(tmp_path):
    package = tmp_path / ".venv" / "site-packages" / "ganexp"
    package.mkdir(parents=True)
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "The repository of a user, which is not ganexp's")
    assert own_state(package) == {"commit": None, "dirty": False}
    (package / COMMIT_FILE).write_text('{"commit": "7917fe4", "dirty": true}')
    assert own_state(package) == {"commit": "7917fe4", "dirty": True}


@pytest.mark.parametrize(
    "setting",
    [
        ("core.fsmonitor", "PROGRAM"),
        ("core.hooksPath", "hooks"),
        ("filter.x.clean", "PROGRAM"),
        ("filter.x.process", "PROGRAM"),
        ("diff.external", "PROGRAM"),
        ("diff.x.textconv", "PROGRAM"),
        ("core.pager", "PROGRAM"),
    ],
    ids=lambda setting: setting[0],
)
def test_programs_that_a_checkout_names_do_not_run(tmp_path, monkeypatch, setting):
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    program.chmod(0o755)
    checkout = tmp_path / "checkout"
    git(tmp_path, "init", "-q", "checkout")
    (checkout / "a.py").write_text("a = 1\n")
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "First")
    (checkout / ".gitattributes").write_text("* filter=x diff=x\n")
    git(checkout, "config", setting[0], setting[1].replace("PROGRAM", str(program)))
    (checkout / "a.py").write_text("a = 2\n")
    monkeypatch.chdir(checkout)
    assert environment()["repository"]["dirty"]
    (checkout / ".gitattributes").unlink()
    (checkout / ".git" / "info").mkdir(exist_ok=True)
    (checkout / ".git" / "info" / "attributes").write_text("* filter=x diff=x\n")
    assert environment()["repository"]["dirty"]
    assert not (tmp_path / "ran").exists()


def test_now_is_utc_to_the_second():
    time = datetime.fromisoformat(now())
    assert time.utcoffset().total_seconds() == 0
    assert time.microsecond == 0
