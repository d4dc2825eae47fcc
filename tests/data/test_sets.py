"""Each dataset, read from small files in its own format."""

import gzip
import hashlib
import pickle
import struct
from urllib.error import URLError

import numpy as np
import pytest
import torch
from helpers.images import RANDOM, photo, stl10_files

from ganexp.config.instantiate import instantiate
from ganexp.data import sets
from ganexp.errors import UserError


def test_digits_splits_have_every_class():
    train, test = (sets.digits("", split, 8, 1) for split in ("train", "test"))
    assert (len(train), len(test)) == (1438, 359)
    assert train.images.shape[1:] == (1, 8, 8)
    assert train.images.max() == 255
    assert train.images.dtype == torch.uint8
    assert train.labels.bincount().min() > 100
    assert test.labels.bincount().min() > 20
    assert sets.digits("", "train", 16, 3).images.shape[1:] == (3, 16, 16)


def test_digits_equal_those_of_scikit_learn():
    original = pytest.importorskip("sklearn.datasets").load_digits()
    images = torch.from_numpy((original.images * (255 / 16)).round().astype(np.uint8))
    held_out = np.arange(len(images)) % 5 == 4
    for split, chosen in (("train", ~held_out), ("test", held_out)):
        loaded = sets.digits("", split, 8, 1)
        assert torch.equal(loaded.images[:, 0], images[chosen])
        assert loaded.labels.tolist() == original.target[chosen].tolist()


@pytest.mark.parametrize("load", [sets.digits, sets.mnist, sets.cifar, sets.stl10, sets.flowers102, sets.fake])
def test_unknown_split_is_rejected_with_choices(load):
    with pytest.raises(UserError, match=r"split=dev: this dataset has the splits \w+, "):
        load("", "dev", 8, 1)


def write_idx(path, array):
    """Write the array in the format of MNIST, once plain and once compressed."""
    content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(content)
    with gzip.open(f"{path}.gz", "wb") as file:
        file.write(content)


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
def test_mnist_is_read_from_idx_files(tmp_path, name):
    raw = tmp_path / name / "raw"
    raw.mkdir(parents=True)
    images, labels = RANDOM.integers(0, 256, (6, 28, 28), dtype=np.uint8), np.arange(6, dtype=np.uint8)
    for stem in ("train", "t10k"):
        write_idx(raw / f"{stem}-images-idx3-ubyte", images)
        write_idx(raw / f"{stem}-labels-idx1-ubyte", labels)
    loaded = sets.mnist(str(tmp_path), "train", 28, 1, fashion=name != "MNIST")
    assert torch.equal(loaded.images[:, 0], torch.from_numpy(images))
    assert loaded.labels.tolist() == list(range(6))
    assert sets.mnist(str(tmp_path), "test", 32, 3, fashion=name != "MNIST").images.shape == (6, 3, 32, 32)
    (raw / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + b"\0" * 30)
    with pytest.raises(UserError, match="damaged"):
        sets.mnist(str(tmp_path), "train", 28, 1, fashion=name != "MNIST")


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
def test_mnist_needs_only_files_of_its_split(tmp_path, monkeypatch, name):
    raw = tmp_path / name / "raw"
    raw.mkdir(parents=True)
    write_idx(raw / "train-images-idx3-ubyte", np.zeros((6, 28, 28), np.uint8))
    write_idx(raw / "train-labels-idx1-ubyte", np.arange(6, dtype=np.uint8))
    assert len(sets.mnist(str(tmp_path), "train", 28, 1, fashion=name != "MNIST")) == 6
    asked = []

    def refuse(url, **_):
        asked.append(url.rpartition("/")[2])
        raise URLError("no network")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", refuse)
    with pytest.raises(UserError, match=r"raw/t10k-images-idx3-ubyte\n.*raw/t10k-labels-idx1-ubyte\n") as refused:
        sets.mnist(str(tmp_path), "test", 28, 1, fashion=name != "MNIST")
    assert "train" not in str(refused.value)
    assert set(asked) == {"t10k-images-idx3-ubyte.gz"}
    (raw / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match=r"in place:\n.*raw/train-labels-idx1-ubyte\nThey") as refused:
        sets.mnist(str(tmp_path), "train", 28, 1, fashion=name != "MNIST")


def test_cifar_is_read_from_pickled_batches(tmp_path, monkeypatch):
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
    dataset = sets.datasets.CIFAR10
    monkeypatch.setattr(dataset, "train_list", [[f"data_batch_{i}", md5[f"data_batch_{i}"]] for i in range(1, 6)])
    monkeypatch.setattr(dataset, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(dataset, "meta", {**dataset.meta, "md5": md5["batches.meta"]})
    loaded = sets.cifar(str(tmp_path), "train", 32, 3)
    assert loaded.images.shape == (10, 3, 32, 32)
    assert torch.equal(loaded.images[0].flatten(), torch.from_numpy(pixels[0]))
    assert loaded.labels.tolist()[:2] == [1, 8]
    assert loaded.classes == list("abcdefghij")


def test_cifar_rejects_another_number_of_classes():
    node = {"_target_": "ganexp.data.sets.cifar", "classes": 20}
    with pytest.raises(UserError, match=r"data.source.classes=20: must be one of 10, 100"):
        instantiate(node, "data.source", root="", split="train", resolution=32, channels=3)


@pytest.mark.parametrize(("split", "count"), [("train", 6), ("test", 4), ("train+test", 10), ("unlabeled", 5)])
def test_stl10_is_read_from_binary_files(tmp_path, split, count, caplog):
    folder = stl10_files(tmp_path)
    loaded = sets.stl10(str(tmp_path), split, 96, 3)
    assert loaded.images.shape == (count, 3, 96, 96)
    stored = np.fromfile(folder / f"{split.split('+')[0]}_X.bin", dtype=np.uint8).reshape(-1, 3, 96, 96)
    assert torch.equal(loaded.images[1], torch.from_numpy(stored[1]).transpose(1, 2))  # stored column by column
    assert (loaded.labels is None) == (split == "unlabeled")
    assert "is not the published file" in caplog.text
    assert sets.stl10(str(tmp_path), split, 48, 3).images.shape == (count, 3, 48, 48)


def test_stl10_needs_only_files_of_its_split(tmp_path):
    folder = stl10_files(tmp_path)
    for name in ("test_X.bin", "test_y.bin", "unlabeled_X.bin"):
        (folder / name).unlink()
    assert len(sets.stl10(str(tmp_path), "train", 48, 3)) == 6
    with pytest.raises(UserError, match=r"test_X.bin"):
        sets.stl10(str(tmp_path), "test", 48, 3)


def test_flowers102_all_has_every_image(tmp_path, monkeypatch):
    scipy_io = pytest.importorskip("scipy.io")
    folder = tmp_path / "flowers-102"
    for i in range(1, 8):
        photo(folder / "jpg" / f"image_{i:05d}.jpg", (20, 12))
    labels = np.array([[1, 2, 3, 102, 5, 6, 7]], dtype=np.uint8)
    scipy_io.savemat(folder / "imagelabels.mat", {"labels": labels})
    ids = {"trnid": np.array([[1, 2]]), "valid": np.array([[3, 4]]), "tstid": np.array([[5, 6, 7]])}
    scipy_io.savemat(folder / "setid.mat", ids)
    files = dict(sets.datasets.Flowers102._file_dict)
    for key, name in (("label", "imagelabels.mat"), ("setid", "setid.mat")):
        files[key] = (name, hashlib.md5((folder / name).read_bytes()).hexdigest())
    monkeypatch.setattr(sets.datasets.Flowers102, "_file_dict", files)
    loaded = sets.flowers102(str(tmp_path), "all", 16, 3)
    assert loaded.images.shape == (7, 3, 16, 16)
    assert loaded.labels.tolist() == [0, 1, 2, 101, 4, 5, 6]
    assert loaded.num_classes == 102
    assert sets.flowers102(str(tmp_path), "val", 16, 3).labels.tolist() == [2, 101]
    assert sets.flowers102(str(tmp_path), "test", 16, 3) is None


def test_folder_without_test_split_returns_none(tmp_path):
    for i in range(3):
        photo(tmp_path / "only" / f"{i}.jpg")
    train = sets.folder("", "train", 8, 1, path=str(tmp_path))
    assert train.images.shape == (3, 1, 8, 8)
    assert train.labels is None
    assert sets.folder("", "test", 8, 1, path=str(tmp_path)) is None


@pytest.mark.parametrize(
    ("argument", "value", "allowed"),
    [
        ("fit", "pad", "one of crop, stretch, exact"),
        ("on_error", "ignore", "one of skip, raise"),
        ("in_memory", "maybe", "true or false, or auto"),
    ],
)
def test_folder_rejects_unknown_choice(tmp_path, argument, value, allowed):
    node = {"_target_": "ganexp.data.sets.folder", "path": str(tmp_path), argument: value}
    with pytest.raises(UserError, match=f"data.source.{argument}={value}: must be {allowed}"):
        instantiate(node, "data.source", root="", split="train", resolution=8, channels=3)


def test_fake_brightness_depends_on_class():
    loaded = sets.fake("", "train", 8, 1, num_classes=2)
    dark, bright = (loaded.images[loaded.labels == label].float().mean() for label in (0, 1))
    assert bright > dark + 40


def test_fake_without_classes_has_no_labels():
    loaded = sets.fake("", "train", 8, 3, num_classes=0, size=5)
    assert loaded.images.shape == (5, 3, 8, 8)
    assert loaded.labels is None
    assert loaded.num_classes == 0
    assert not torch.equal(loaded.images, sets.fake("", "test", 8, 3, num_classes=0, size=5).images)
