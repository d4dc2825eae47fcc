"""Errors of the operating system name the path, and the setting that chooses another path."""

import errno
import os

import pytest

from ganexp.runs.places import check_writable, explain_place

PLACES = {"/a/cache": "metrics.cache=PATH", "/a/cache/data": "data.root=PATH", "/run": "hydra.run.dir=PATH"}


def error(number, path=None):
    return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("/a/cache/classifiers/x.pt", ["metrics.cache=PATH"]),
        ("/a/cache/data/mnist", ["data.root=PATH"]),  # both directories contain the path; data.root is the nearer one
        ("/a", ["metrics.cache=PATH", "data.root=PATH"]),  # both directories are below /a
        ("/elsewhere", []),
    ],
)
def test_setting_of_the_nearest_place_is_named(path, settings):
    first, *others = explain_place(error(errno.EACCES, path), PLACES).splitlines()
    assert first == f"{path}: Permission denied."
    assert others == [f"Choose another path: {setting}" for setting in settings]


def test_full_disk_lists_the_places():
    text = explain_place(error(errno.ENOSPC), PLACES)
    assert text.startswith("No space left on device.")
    assert all(f"\n  {path}: {setting}" in text for path, setting in PLACES.items())


def test_long_name_is_cut():
    text = explain_place(error(errno.ENAMETOOLONG, "/" + "x" * 5000), {})
    assert len(text) < 300
    assert text.endswith("…: File name too long.")


@pytest.mark.parametrize(
    "other", [error(errno.ECONNREFUSED, "/a"), error(errno.ENOENT), error(errno.EPIPE), OSError("x")]
)
def test_other_errors_are_not_explained(other):
    assert explain_place(other, PLACES) == ""


def test_writable_place_is_checked_without_a_trace(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())


def test_place_below_a_file_is_not_writable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as raised:
        check_writable(tmp_path / "file" / "a")
    assert raised.value.filename == str(tmp_path / "file" / "a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_place_without_permission_is_not_writable(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(PermissionError):
        check_writable(tmp_path / "closed" / "a")
