"""Image sets, read from small files in their true formats."""

import gzip
import hashlib
import logging
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from helpers.images import RANDOM, photo, stl10_files

from ganexp.data import sets
from ganexp.data.images import ImageSet, fit_to
from ganexp.data.listing import count_classes, list_images
from ganexp.errors import UserError



def test_digits():
    train, test = (sets.digits("", split, 8, 1) for split in ("train", "test"))
    assert (len(train), len(test)) == (1438, 359)
    assert train.images.shape[1:] == (1, 8, 8)
    assert train.images.max() == 255
    assert train.images.dtype == torch.uint8
    assert train.labels.bincount().min() > 100
    assert sets.digits("", "train", 16, 3).images.shape[1:] == (3, 16, 16)


def test_unknown_split_names_the_choices():
    with pytest.raises(UserError, match=r"data.split=val: this set has train, test"):
        sets.digits("", "val", 8, 1)


def idx(path, array):
    with gzip.open(path, "wb") as file:
        file.write(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
def test_mnist_from_idx_files(tmp_path, name):
    raw = tmp_path / name / "raw"
    raw.mkdir(parents=True)
    images, labels = RANDOM.integers(0, 256, (6, 28, 28), dtype=np.uint8), np.arange(6, dtype=np.uint8)
    for stem in ("train", "t10k"):
        for part, array in (("images-idx3", images), ("labels-idx1", labels)):
            idx(raw / f"{stem}-{part}-ubyte.gz", array)
            (raw / f"{stem}-{part}-ubyte").write_bytes(gzip.decompress((raw / f"{stem}-{part}-ubyte.gz").read_bytes()))
    loaded = sets.mnist(str(tmp_path), "train", 28, 1, fashion=name != "MNIST")
    assert torch.equal(loaded.images[:, 0], torch.from_numpy(images))
    assert loaded.labels.tolist() == list(range(6))
    assert sets.mnist(str(tmp_path), "test", 32, 3, fashion=name != "MNIST").images.shape == (6, 3, 32, 32)
    (raw / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + b"\0" * 30)
    with pytest.raises(UserError, match="damaged"):
        sets.mnist(str(tmp_path), "train", 28, 1, fashion=name != "MNIST")


def test_cifar_from_pickled_batches(tmp_path, monkeypatch):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    pixels = RANDOM.integers(0, 256, (2, 3072), dtype=np.uint8)
    contents = {f"data_batch_{i}": {"data": pixels, "labels": [i, 9 - i]} for i in range(1, 6)}
    contents |= {
        "test_batch": {"data": pixels, "labels": [0, 1]},
        "batches.meta": {"label_names": list("abcdefghij")},
    }
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
    md5 = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in contents}
    kind = sets.datasets.CIFAR10
    monkeypatch.setattr(kind, "train_list", [[f"data_batch_{i}", md5[f"data_batch_{i}"]] for i in range(1, 6)])
    monkeypatch.setattr(kind, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5["batches.meta"]})
    loaded = sets.cifar(str(tmp_path), "train", 32, 3)
    assert loaded.images.shape == (10, 3, 32, 32)
    assert torch.equal(loaded.images[0].flatten(), torch.from_numpy(pixels[0]))
    assert loaded.labels.tolist()[:2] == [1, 8]
    assert loaded.classes == list("abcdefghij")


@pytest.mark.parametrize(("split", "count"), [("train", 6), ("test", 4), ("train+test", 10), ("unlabeled", 5)])
def test_stl10_from_binary_files(tmp_path, split, count, caplog):
    folder = stl10_files(tmp_path)
    loaded = sets.stl10(str(tmp_path), split, 96, 3)
    assert loaded.images.shape == (count, 3, 96, 96)
    stored = np.fromfile(folder / f"{split.split('+')[0]}_X.bin", dtype=np.uint8).reshape(-1, 3, 96, 96)
    assert torch.equal(loaded.images[1], torch.from_numpy(stored[1]).transpose(1, 2))  # stored column by column
    assert (loaded.labels is None) == (split == "unlabeled")
    assert "is not the published file" in caplog.text
    assert sets.stl10(str(tmp_path), split, 48, 3).images.shape == (count, 3, 48, 48)


def test_what_cannot_be_had_says_what_to_put_where(tmp_path):
    with pytest.raises(UserError) as caught:
        sets.stl10(str(tmp_path), "train", 48, 3)
    lines = str(caught.value).splitlines()
    assert len(lines) <= 10
    assert f"  {tmp_path}/stl10_binary/train_X.bin" in lines
    assert "data.root=FOLDER" in lines[-1]
    for load in (sets.mnist, sets.cifar):
        with pytest.raises(UserError, match="downloading it failed"):
            load(str(tmp_path), "train", 32, 3)


def test_flowers102(tmp_path):
    scipy_io = pytest.importorskip("scipy.io")
    folder = tmp_path / "flowers-102"
    for i in range(1, 8):
        photo(folder / "jpg" / f"image_{i:05d}.jpg", (20, 12))
    labels = np.array([[1, 2, 3, 102, 5, 6, 7]], dtype=np.uint8)
    scipy_io.savemat(folder / "imagelabels.mat", {"labels": labels})
    ids = {"trnid": np.array([[1, 2]]), "valid": np.array([[3, 4]]), "tstid": np.array([[5, 6, 7]])}
    scipy_io.savemat(folder / "setid.mat", ids)
    kind = sets.datasets.Flowers102
    md5 = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in ("imagelabels.mat", "setid.mat")}
    original = dict(kind._file_dict)
    try:
        kind._file_dict = original | {
            "label": ("imagelabels.mat", md5["imagelabels.mat"]),
            "setid": ("setid.mat", md5["setid.mat"]),
        }
        loaded = sets.flowers102(str(tmp_path), "all", 16, 3)
    finally:
        kind._file_dict = original
    assert loaded.images.shape == (7, 3, 16, 16)
    assert loaded.labels.tolist() == [0, 1, 2, 101, 4, 5, 6]
    assert loaded.num_classes == 102


@pytest.mark.parametrize("as_zip", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_folder_with_classes_and_splits(tmp_path, as_zip, wrapped):
    top = tmp_path / "set" / ("faces" if wrapped else "")
    for split, count in (("train", 3), ("test", 2)):
        for name, colour in (("a", (255, 0, 0)), ("b", (0, 0, 255))):
            for i in range(count):
                photo(top / split / name / f"{i}.png", colour=colour)
    (top / "train" / "empty").mkdir()
    path = tmp_path / "set"
    if as_zip:
        path = tmp_path / "set.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((tmp_path / "set").rglob("*.png")):
                archive.write(file, file.relative_to(tmp_path / "set"))
    assert count_classes(str(path)) == 2
    train = sets.folder("", "train", 8, 3, path=str(path))
    assert train.classes == ["a", "b"]
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert train.images[:, :, 0, 0].tolist() == [[255, 0, 0]] * 3 + [[0, 0, 255]] * 3
    assert len(sets.folder("", "test", 8, 3, path=str(path))) == 4


def test_folder_without_classes_or_test_split(tmp_path):
    for i in range(3):
        photo(tmp_path / "only" / f"{i}.jpg")
    assert count_classes(str(tmp_path)) == 0
    assert sets.folder("", "train", 8, 1, path=str(tmp_path)).labels is None
    assert sets.folder("", "test", 8, 1, path=str(tmp_path)) is None


def test_folder_mistakes_are_named(tmp_path):
    with pytest.raises(UserError, match="no such directory or zip"):
        list_images(str(tmp_path / "nowhere"))
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match="no image in it"):
        list_images(str(tmp_path))
    with pytest.raises(UserError, match="neither a directory nor a zip"):
        list_images(str(tmp_path / "notes.txt"))
    photo(tmp_path / "mixed" / "a" / "1.png")
    photo(tmp_path / "mixed" / "b" / "1.png")
    photo(tmp_path / "mixed" / "stray.png")
    with pytest.raises(UserError, match=r"stray.png lies beside class folders"):
        list_images(str(tmp_path / "mixed"))


@pytest.mark.parametrize("in_memory", [True, False])
def test_broken_images_are_named_counted_and_left_out(tmp_path, caplog, in_memory):
    for name in ("a", "b"):
        for i in range(3):
            photo(tmp_path / name / f"{i}.png", (40, 40))
    whole = (tmp_path / "a" / "1.png").read_bytes()
    (tmp_path / "a" / "1.png").write_bytes(whole[: len(whole) // 2])  # truncated
    (tmp_path / "b" / "2.png").write_text("not an image")
    with caplog.at_level(logging.WARNING):
        loaded = sets.folder("", "train", 8, 3, path=str(tmp_path), in_memory=in_memory)
    assert loaded.labels.tolist() == [0, 0, 1, 1]
    assert loaded.batch(torch.arange(4)).shape == (4, 3, 8, 8)
    assert "a/1.png" in caplog.text
    assert "b/2.png" in caplog.text
    assert "2 of 6 images are broken" in caplog.text
    with pytest.raises(UserError, match=r"Broken image a/1.png"):
        sets.folder("", "train", 8, 3, path=str(tmp_path), on_error="raise")


def test_fit():
    tall = torch.zeros(1, 6, 2, dtype=torch.uint8)
    tall[:, 2:4] = 200
    assert (fit_to(tall, 2, 1, "crop") == 200).all()
    assert not (fit_to(tall, 2, 1, "stretch") == 200).all()
    assert fit_to(tall, 4, 3).shape == (3, 4, 4)


def test_fingerprint_follows_content():
    images = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    changed = images.clone()
    changed[3, 0, 1, 1] = 1
    prints = {ImageSet(i, labels, []).fingerprint() for i in (images, changed) for labels in (None, torch.arange(4))}
    assert len(prints) == 4
    assert ImageSet(images.clone(), None, []).fingerprint() in prints


def test_fake_classes_differ():
    made = sets.fake("", "train", 8, 1, num_classes=2)
    dark, bright = (made.images[made.labels == c].float().mean() for c in (0, 1))
    assert bright > dark + 40
