"""Progress, paths, silence on other ranks, and terminals that know ASCII only."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table

from ganexp.console import CLOSED_OUTPUT, TableConsole, make_console, progress, say, short_path


def test_short_path_is_relative_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert short_path(tmp_path / "a" / "b") == "a/b"
    assert short_path(Path("/elsewhere")) == "/elsewhere"


def test_progress_passes_items_on_without_a_terminal(capsys):
    assert list(progress(iter([1, 2, 3]), "work", total=3)) == [1, 2, 3]
    assert capsys.readouterr().out == ""


def test_line_in_a_file_is_not_broken(capsys):
    make_console().print("x " * 500)
    assert capsys.readouterr().out == f"{'x ' * 500}\n"


def test_wide_table_becomes_a_list_of_its_rows():
    table = Table("job", "score", "[A]")
    table.add_row("first", "1.5", "2")
    table.add_row("second", "2.5")
    console = TableConsole(width=15, file=io.StringIO())
    console.print(table)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert lines == [["job", "first"], ["score", "1.5"], ["[A]", "2"], [], ["job", "second"], ["score", "2.5"], ["[A]"]]


def test_closed_output_ends_the_process(monkeypatch):
    def refuse(*values, **options):
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", refuse)
    with pytest.raises(SystemExit) as ended:
        say("text")
    assert ended.value.code == CLOSED_OUTPUT


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
