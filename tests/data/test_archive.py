"""Each process opens a zip once, and reads the images that were written into the zip."""

import multiprocessing
import os
import pickle
import threading
import zipfile
from collections import Counter

import pytest
import torch
from helpers.images import photo
from torch.utils.data import DataLoader
from torchvision.io import decode_image

from ganexp.data import archive, sets, style_gan_index
from ganexp.data.archive import ZipReader
from ganexp.data.listing import list_images
from ganexp.errors import UserError

pytestmark = pytest.mark.slow

COUNT = 24


@pytest.fixture
def images(tmp_path):
    """Write set.zip, and return the pixels (COUNT, 3, 8, 8) of its images."""
    pixels = []
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as target:
        for i in range(COUNT):
            photo(tmp_path / f"{i:02}.png", (8, 8))
            pixels.append(decode_image(str(tmp_path / f"{i:02}.png")))
            target.write(tmp_path / f"{i:02}.png", f"{i:02}.png")
    return torch.stack(pixels)


@pytest.fixture
def opened_by(tmp_path, monkeypatch):
    """Return a function that counts how often each process has opened a zip through a ZipReader."""
    log = tmp_path / "opened.txt"
    log.touch()

    class CountedZipFile(zipfile.ZipFile):
        def __init__(self, path):
            with log.open("a") as file:
                file.write(f"{os.getpid()}\n")
            super().__init__(path)

    monkeypatch.setattr(archive, "ZipFile", CountedZipFile)
    return lambda: Counter(int(line) for line in log.read_text().split())


@pytest.mark.parametrize("in_memory", [True, False])
def test_threads_open_the_zip_once(tmp_path, images, opened_by, in_memory):
    loaded = sets.folder("", "train", 8, 3, path=str(tmp_path / "set.zip"), in_memory=in_memory)
    assert opened_by() == {os.getpid(): 1}
    assert torch.equal(loaded.batch(torch.arange(COUNT)), images)
    assert opened_by() == {os.getpid(): 1}


def test_forked_workers_open_the_zip_once_each(tmp_path, images, opened_by):
    loaded = sets.folder("", "train", 8, 3, path=str(tmp_path / "set.zip"), in_memory=False)
    loader = DataLoader(loaded.images, batch_size=1, num_workers=2, multiprocessing_context="fork")
    for _ in range(3):  # each time with new workers, while this process has the zip open
        assert torch.equal(torch.cat(list(loader)), images)
        assert torch.equal(loaded.images[5], images[5])
    opened = opened_by()
    assert opened.pop(os.getpid()) == 1
    assert sorted(opened.values()) == [1] * 6


def test_fork_while_threads_read_does_not_hang(tmp_path, images):
    reader, stop = ZipReader(tmp_path / "set.zip"), threading.Event()

    def read_until_stopped():
        while not stop.is_set():
            reader.read("03.png")

    threads = [threading.Thread(target=read_until_stopped) for _ in range(2)]
    for thread in threads:
        thread.start()
    content = (tmp_path / "07.png").read_bytes()
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_exit_zero_if_equal, args=(reader, "07.png", content)) for _ in range(20)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
        child.kill()
    stop.set()
    for thread in threads:
        thread.join()
    assert [child.exitcode for child in children] == [0] * 20


def _exit_zero_if_equal(reader, name, content):
    os._exit(0 if reader.read(name) == content else 1)


def test_pickled_reader_opens_the_zip_again(tmp_path, images, opened_by):
    reader = ZipReader(tmp_path / "set.zip")
    content = reader.read("03.png")
    copy = pickle.loads(pickle.dumps(reader))
    assert copy.read("03.png") == content == (tmp_path / "03.png").read_bytes()
    assert opened_by() == {os.getpid(): 2}


def test_workers_that_are_no_copies_read_the_right_pixels(tmp_path, images):
    loaded = sets.folder("", "train", 8, 3, path=str(tmp_path / "set.zip"), in_memory=False)
    loader = DataLoader(loaded.images, batch_size=4, num_workers=2, multiprocessing_context="forkserver")
    assert torch.equal(torch.cat(list(loader)), images)


def test_unreadable_member_raises_os_error(tmp_path, images):
    with pytest.raises(OSError, match="cannot be read from the zip"):
        ZipReader(tmp_path / "set.zip").read("missing.png")
    (tmp_path / "no.zip").write_text("not a zip")
    with pytest.raises(OSError, match="cannot be read from the zip"):
        ZipReader(tmp_path / "no.zip").read("00.png")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("name", ["00.png", "dataset.json"])
def test_damaged_member_raises_os_error(tmp_path, method, name):
    path = tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w", method) as written:
        written.writestr(name, os.urandom(2000))
        start = written.getinfo(name).header_offset + 30 + len(name)
    content = bytearray(path.read_bytes())
    content[start + 20 : start + 1500] = b"x" * 1480
    path.write_bytes(content)
    if name == "dataset.json":
        with pytest.raises(UserError, match=r"dataset\.json cannot be read"):
            list_images(str(path))
    else:
        with pytest.raises(OSError, match=r"Invalid data stream|cannot be read from the zip"):
            ZipReader(path).read(name)


def test_index_of_many_nested_lists_is_no_index():
    assert style_gan_index._values(b"[" * 200_000) is None
