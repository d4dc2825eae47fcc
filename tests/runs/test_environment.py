"""What run.json records beside the config."""

import subprocess
import sys
from datetime import datetime

import torch

import ganexp
from ganexp.runs.environment import environment, now


def test_environment_names_versions_machine_and_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ganexp", "loss=hinge"])
    values = environment()
    assert values["ganexp"] == ganexp.__version__
    assert torch.__version__.startswith(values["versions"]["torch"])
    assert values["python"] == ".".join(map(str, sys.version_info[:3]))
    assert values["command"] == ["loss=hinge"]
    assert (values["git_commit"], values["git_dirty"]) == (None, False)


def test_environment_names_the_commit_and_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    for arguments in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *arguments], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert (environment()["git_commit"], environment()["git_dirty"]) == (head, False)
    (tmp_path / "new.py").touch()
    assert environment()["git_dirty"] is True


def test_now_is_utc_to_the_second():
    time = datetime.fromisoformat(now())
    assert time.utcoffset().total_seconds() == 0
    assert time.microsecond == 0
