"""Files are replaced whole or not at all."""

import os
import threading
from pathlib import Path

import pytest

from ganexp.runs import atomic


def test_write_text_replaces_the_old_content(tmp_path):
    file = tmp_path / "run.json"
    atomic.write_text(file, "a long first version")
    atomic.write_text(file, "ü")
    assert file.read_bytes() == "ü".encode()
    assert list(tmp_path.iterdir()) == [file]


def test_failed_write_keeps_the_old_content(tmp_path):
    file = tmp_path / "run.json"
    file.write_text("old")

    def fail() -> None:
        with atomic.replacing(file) as temporary:
            temporary.write_text("half of the ne")
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        fail()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_old_content_stays_until_the_block_ends(tmp_path):
    file = tmp_path / "run.json"
    file.write_text("old")
    with atomic.replacing(file) as temporary:
        temporary.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"


def test_data_reaches_the_disk_before_the_move(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append(("fsync", os.fstat(descriptor).st_ino)))
    replace = os.replace

    def recording(source, target):
        calls.append(("replace", os.stat(source).st_ino))
        replace(source, target)

    monkeypatch.setattr(os, "replace", recording)
    atomic.write_text(tmp_path / "run.json", "new")
    written = (tmp_path / "run.json").stat().st_ino
    assert calls == [("fsync", written), ("replace", written)]


def test_temporary_file_is_hidden_and_keeps_the_suffix(tmp_path):
    with atomic.replacing(tmp_path / "curves.png") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".png"
        temporary.touch()


def test_unfinished_files_are_those_of_the_path(tmp_path):
    other = tmp_path / "run-2.json"
    with atomic.replacing(tmp_path / "run.json") as own, atomic.replacing(other) as of_other:
        for file in (own, of_other, tmp_path / ".run-notes.json", tmp_path / "run.json"):
            file.touch()
        (tmp_path / f".run-{'0' * 32}.json").mkdir()
        (tmp_path / f".run-{'1' * 32}.json").symlink_to(other)
        assert list(atomic.unfinished(tmp_path / "run.json")) == [own]
        assert set(atomic.unfinished(tmp_path / "run*.*")) == {own, of_other}


def test_writers_of_one_file_do_not_share_a_temporary_file(tmp_path):
    file = tmp_path / "cache.pt"
    with atomic.replacing(file) as first, atomic.replacing(file) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert file.read_text() == "first"  # the block of `first` ends last


def test_concurrent_writers_leave_one_whole_version(tmp_path):
    file = tmp_path / "sweep.json"
    versions = [str(number) * 100_000 for number in range(4)]
    errors: list[BaseException] = []

    def write(text: str) -> None:
        try:
            for _ in range(10):
                atomic.write_text(file, text)
                assert Path(file).read_text() in versions
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert list(tmp_path.iterdir()) == [file]


def test_error_names_the_file_and_not_the_temporary_one(tmp_path):
    (tmp_path / "run.json").mkdir()
    with pytest.raises(OSError, match="directory") as caught:
        atomic.write_text(tmp_path / "run.json", "{}")
    assert caught.value.filename == str(tmp_path / "run.json")
    with pytest.raises(FileNotFoundError) as caught:
        atomic.write_text(tmp_path / "missing" / "run.json", "{}")
    assert caught.value.filename == str(tmp_path / "missing" / "run.json")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
