"""Datasets whose files are missing, damaged or downloaded."""

import logging
from urllib.error import URLError

import pytest

from ganexp import offline
from ganexp.data import sets
from ganexp.data.download import fetch
from ganexp.errors import UserError

URL = "https://example.org/set.tar.gz"


class Loader:
    """A loader that finds its files once they are downloaded."""

    def __init__(self, files_exist=False, error=None):
        self.files_exist, self.error, self.calls = files_exist, error, []

    def __call__(self, download):
        self.calls.append(download)
        if download and self.error:
            raise self.error
        if not (download or self.files_exist):
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        return "data"


def test_fetch_does_not_download_existing_files(tmp_path):
    load = Loader(files_exist=True)
    assert fetch(load, str(tmp_path), ["a.bin"], URL) == "data"
    assert load.calls == [False]


@pytest.mark.parametrize("kind", [RuntimeError("not found"), FileNotFoundError()])
def test_fetch_downloads_missing_files_once(tmp_path, caplog, kind):
    calls = []

    def load(download):
        calls.append(download)
        if not download:
            raise kind
        return "data"

    root = tmp_path / "new" / "root"
    with caplog.at_level(logging.INFO):
        assert fetch(load, str(root), ["a.bin"], URL) == "data"
    assert calls == [False, True]
    assert root.is_dir()
    assert URL in caplog.text


def test_fetch_offline_raises_not_here(tmp_path):
    load = Loader()
    with offline.offline(), pytest.raises(offline.NotHere, match=URL):
        fetch(load, str(tmp_path), ["a.bin"], URL)
    assert load.calls == [False]


@pytest.mark.parametrize("error", [URLError("no route to host"), OSError("no route to host")])
def test_failed_download_names_files_and_address(tmp_path, error):
    with pytest.raises(UserError) as caught:
        fetch(Loader(error=error), str(tmp_path), ["a.bin", "b.bin"], URL)
    lines = str(caught.value).splitlines()
    assert "no route to host" in lines[0]
    assert {f"  {tmp_path}/a.bin", f"  {tmp_path}/b.bin"} <= set(lines)
    assert f"packed in an archive, from {URL}" in str(caught.value)
    assert f"data.root=DIRECTORY (now {tmp_path})" in lines[-1]


def test_damaged_files_are_named(tmp_path):
    def load(download):
        raise ValueError("bad magic number")

    with pytest.raises(UserError, match=r"damaged \(bad magic number\)(?s:.*)Delete a.bin, b.bin"):
        fetch(load, str(tmp_path), ["a.bin", "b.bin"], URL)


def test_missing_dataset_says_where_its_files_belong(tmp_path):
    with pytest.raises(UserError) as caught:
        sets.stl10(str(tmp_path), "train", 48, 3)
    lines = str(caught.value).splitlines()
    assert len(lines) <= 10
    assert f"  {tmp_path}/stl10_binary/train_X.bin" in lines
    assert "data.root=DIRECTORY" in lines[-1]
    for load in (sets.mnist, sets.cifar):
        with pytest.raises(UserError, match="downloading it failed"):
            load(str(tmp_path), "train", 32, 3)
