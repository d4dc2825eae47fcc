"""Console output: progress, short paths, no lines from ranks other than 0, and terminals that show only ASCII."""

import io
import os
import shlex
import subprocess
import sys
import time
from contextvars import Context
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from rich.table import Table
from rich.text import Text

from ganexp import console
from ganexp.console import (
    CLOSED_OUTPUT,
    LOG,
    TableConsole,
    clock_time,
    join_saying_once,
    logged_to,
    make_console,
    progress,
    said_lines,
    say,
    say_once,
    saying_once,
    shell_path,
    short_path,
    short_paths,
)


def test_short_path_is_relative_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert short_path(tmp_path / "a" / "b") == "a/b"
    assert short_path(Path("/elsewhere")) == "/elsewhere"


def test_path_for_a_shell_is_one_word(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shell_path(tmp_path / "a" / "b") == "a/b"
    assert shlex.split(f"ls {shell_path(tmp_path / 'with space, $HOME')}") == ["ls", "with space, $HOME"]


def test_paths_in_a_message_are_short(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    kept = f"{tmp_path}/others, x{tmp_path}/here/a, HOME={tmp_path}/here/a"
    text = f"{tmp_path}/here/a b: no file, nor {tmp_path}/other/run, {kept}"
    expected = f"a b: no file, nor ../other/run, {kept}"
    assert short_paths(text, ["../other", "hinge", ""]) == expected


def test_progress_passes_items_on_without_a_terminal(capsys):
    assert list(progress(iter([1, 2, 3]), "work", total=3)) == [1, 2, 3]
    assert capsys.readouterr().out == ""


def test_long_work_without_a_terminal_prints_the_time_left(capsys, monkeypatch):
    monkeypatch.setattr(time, "monotonic", iter(range(0, 100, 15)).__next__)  # 15 seconds for each item
    assert list(progress([1, 2, 3, 4], "work")) == [1, 2, 3, 4]
    assert capsys.readouterr().out.splitlines() == ["work: 1 of 4, 1:30 left", "work: 3 of 4, 0:20 left"]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (62.4, "1:02"), (3723, "1:02:03")])
def test_clock_time(seconds, text):
    assert clock_time(seconds) == text


def test_repeated_line_is_printed_once_within_a_block(capsys):
    say_once("a")
    say_once("a")
    with saying_once():
        for line in ("b", "c", "b"):
            say_once(line)
    say_once("b")
    assert capsys.readouterr().out.split() == ["a", "a", "b", "c", "b"]


def test_other_process_repeats_no_line_on_the_same_output(capsys):
    def say_in_another_process(output):
        join_saying_once((lines[0], output), "#1 ")
        for line in ("b", "c", "c"):
            say_once(line)
        say("d")

    with saying_once():
        say_once("b")
        lines = said_lines()
        Context().run(say_in_another_process, lines[1])
        Context().run(say_in_another_process, (-1, -1))  # a process with a log file of its own
    assert capsys.readouterr().out.split("\n") == ["b", "c", "#1 d", "b", "c", "c", "d", ""]


def test_brackets_are_printed_as_they_are(capsys):
    LOG.kept.clear()
    make_console().print("runs [old]/[/r2] :x:")
    assert capsys.readouterr().out == "runs [old]/[/r2] :x:\n"
    assert LOG.kept[-1].endswith(" runs [old]/[/r2] :x:\n")


def test_progress_on_a_terminal_shows_brackets(capsys, monkeypatch):
    monkeypatch.setattr(console, "is_terminal", lambda: True)
    shown = mock.Mock(return_value=iter([]))
    monkeypatch.setattr(console, "track", shown)
    list(progress([1], "class [cat]"))
    assert Text.from_markup(shown.call_args.args[1]).plain == "class [cat]"


def test_line_in_a_file_is_not_broken(capsys):
    make_console().print("x " * 500)
    assert capsys.readouterr().out == f"{'x ' * 500}\n"


def test_wide_table_becomes_a_list_of_its_rows():
    table = Table("job", "score", "[A]")
    table.add_row("first", "1.5", "2")
    table.add_row("second", "2.5")
    narrow = TableConsole(width=15, file=io.StringIO())
    narrow.print(table)
    lines = [line.split() for line in narrow.file.getvalue().splitlines()]
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


def test_log_of_a_run_may_name_files_that_are_not_utf8(tmp_path):
    with logged_to(tmp_path / "run.log"):
        LOG.write(os.fsdecode(b"\xe9.png is left out"))
    assert (tmp_path / "run.log").read_text(encoding="utf-8").endswith(r" \udce9.png is left out" + "\n")


def test_log_has_what_was_printed_before_and_within(tmp_path, capsys):
    say("before")
    with logged_to(tmp_path / "run.log"):
        say("first\nsecond")
        table = Table("job")
        table.add_row("loss=hinge")
        make_console().print(table)
    say("after")
    lines = (tmp_path / "run.log").read_text().splitlines()
    times, texts = zip(*(line.partition(" ")[::2] for line in lines), strict=True)
    assert texts[-8:-5] == ("before", "first", "second")
    assert "loss=hinge" in texts[-2]
    assert all(datetime.fromisoformat(time).utcoffset() == timedelta(0) for time in times)
    assert "after" not in texts


def test_log_names_the_error_and_a_full_disk_hides_none(tmp_path):
    with pytest.raises(ValueError, match="bad"), logged_to(tmp_path / "run.log"):
        raise ValueError("bad")
    assert (tmp_path / "run.log").read_text().endswith(" ValueError: bad\n")
    with pytest.raises(ValueError, match="worse"), logged_to(tmp_path / "no directory" / "run.log"):
        raise ValueError("worse")
