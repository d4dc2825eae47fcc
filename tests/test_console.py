"""Progress, paths, and silence on other ranks."""

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
