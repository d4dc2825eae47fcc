"""Progress, paths, silence on other ranks, and terminals that know ASCII only."""

import os
import subprocess
import sys
from pathlib import Path

from ganexp.console import make_console, progress, say, short_path


def test_short_path_is_relative_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert short_path(tmp_path / "a" / "b") == "a/b"
    assert short_path(Path("/elsewhere")) == "/elsewhere"


def test_progress_passes_items_on_without_a_terminal(capsys):
    assert list(progress(iter([1, 2, 3]), "work", total=3)) == [1, 2, 3]
    assert capsys.readouterr().out == ""


def test_only_rank_zero_prints(monkeypatch, capsys):
    say("first")
    monkeypatch.setenv("LOCAL_RANK", "1")
    say("second")
    make_console().print("third")
    assert capsys.readouterr().out == "first\n"


def test_ascii_terminal_gets_replacements():
    code = "from ganexp.console import *; allow_any_encoding(); say('1 \u00b1 2'); make_console().print('\u2502')"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["1 ? 2", "?"]
