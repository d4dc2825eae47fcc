"""The image sets, by name. Each function returns one split as an `ImageSet` at the resolution and channels asked for.

Arguments all of them take: `root`, where data sets live; `split`; `resolution` in pixels; `channels`, 1 or 3.
Fetching and decoding is torchvision's; what is missing and cannot be fetched is a `UserError` that says which file to
put where. The `split` "test" is the held-out part by which classifiers are judged, and is None for a set without.
"""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torchvision import datasets
from torchvision.datasets.utils import check_integrity

from ganexp import offline
from ganexp.data.images import FileImages, ImageSet, decode, fit_to, fits
from ganexp.data.listing import Listing, list_images
from ganexp.errors import UserError

log = logging.getLogger(__name__)


def digits(root: str, split: str, resolution: int, channels: int) -> ImageSet:
    """scikit-learn's 1,797 real digits, 8x8, 17 grey levels; every fifth is the test split: 1,438 and 359."""
    data = load_digits()
    images = (torch.from_numpy(data.images) * (255 / 16)).round().to(torch.uint8)[:, None]  # (N, 8, 8) -> (N, 1, 8, 8)
    held_out = torch.arange(len(images)) % 5 == 4
    chosen = {"train": ~held_out, "test": held_out}[_split(split, "train", "test")]
    labels = torch.from_numpy(data.target)
    return ImageSet(fit_to(images[chosen], resolution, channels), labels[chosen], [str(i) for i in range(10)])


def mnist(root: str, split: str, resolution: int, channels: int, fashion: bool = False) -> ImageSet:
    """MNIST (LeCun et al. 1998) or Fashion-MNIST (Xiao et al. 2017): 60,000 and 10,000 images, 28x28 grey."""
    kind = datasets.FashionMNIST if fashion else datasets.MNIST
    train = _split(split, "train", "test") == "train"
    stem = "train" if train else "t10k"
    where = [f"{kind.__name__}/raw/{stem}-{part}-ubyte" for part in ("images-idx3", "labels-idx1")]
    data = _fetch(lambda download: kind(root, train=train, download=download), root, where, kind.mirrors[0])
    return ImageSet(fit_to(data.data[:, None], resolution, channels), data.targets, data.classes)


def cifar(root: str, split: str, resolution: int, channels: int, classes: int = 10) -> ImageSet:
    """CIFAR-10 or CIFAR-100 (Krizhevsky 2009): 50,000 and 10,000 images, 32x32 colour."""
    kind = {10: datasets.CIFAR10, 100: datasets.CIFAR100}[classes]
    train = _split(split, "train", "test") == "train"
    data = _fetch(lambda download: kind(root, train=train, download=download), root, [kind.filename], kind.url)
    images = torch.from_numpy(data.data).permute(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W)
    return ImageSet(fit_to(images, resolution, channels), torch.tensor(data.targets), data.classes)


class _STL10(datasets.STL10):
    """torchvision's, which wants all of the set; this one wants the split's own files, and warns if they differ."""

    def _check_integrity(self) -> bool:
        files = [f for f in self.train_list + self.test_list if f[0].split("_")[0] in self.split.split("+")]
        folder = Path(self.root) / self.base_folder
        if not all((folder / name).is_file() for name, _ in files):
            return False
        for name, md5 in files:
            if not check_integrity(str(folder / name), md5):
                log.warning("%s is not the published file: its MD5 differs", folder / name)
        return True


def stl10(root: str, split: str, resolution: int, channels: int) -> ImageSet:
    """STL-10 (Coates et al. 2011), 96x96 colour: train 5,000, test 8,000, train+test, or unlabeled 100,000."""
    _split(split, "train", "test", "train+test", "unlabeled")
    parts = []
    for part in split.split("+"):
        where = [f"stl10_binary/{part}_X.bin"] + ([f"stl10_binary/{part}_y.bin"] if part != "unlabeled" else [])
        parts.append(_fetch(lambda download, p=part: _STL10(root, split=p, download=download), root, where, _STL10.url))
    chunks = (chunk for data in parts for chunk in torch.from_numpy(data.data).split(1000))
    images = torch.cat([fit_to(chunk, resolution, channels) for chunk in chunks])
    if split == "unlabeled":
        return ImageSet(images, None, [])
    labels = torch.cat([torch.from_numpy(data.labels).long() for data in parts])
    return ImageSet(images, labels, getattr(parts[0], "classes", [str(i) for i in range(10)]))


def flowers102(
    root: str,
    split: str,
    resolution: int,
    channels: int,
    fit: str = "stretch",
    in_memory: bool | str = "auto",
    on_error: str = "skip",
) -> ImageSet | None:
    """Oxford Flowers 102 (Nilsback and Zisserman 2008), colour: all 8,189 images, or train, val, test."""
    if split == "test":
        return None  # every image is for training
    names = {"all": ("train", "val", "test")}.get(_split(split, "all", "train", "val"), (split,))
    where = [f"flowers-102/{f}" for f in ("jpg/image_00001.jpg … image_08189.jpg", "imagelabels.mat", "setid.mat")]
    parts = [
        _fetch(
            lambda download, p=part: datasets.Flowers102(root, split=p, download=download),
            root,
            where,
            datasets.Flowers102._download_url_prefix,
        )
        for part in names
    ]
    folder = Path(root) / "flowers-102"
    listing = Listing(
        folder,
        [str(f.relative_to(folder)) for data in parts for f in data._image_files],
        [label for data in parts for label in data._labels],
        list(datasets.Flowers102.classes),
    )
    return _from_files(listing, resolution, channels, fit, in_memory, on_error)


def folder(
    root: str,
    split: str,
    resolution: int,
    channels: int,
    path: str = "",
    fit: str = "crop",
    in_memory: bool | str = "auto",
    on_error: str = "skip",
) -> ImageSet | None:
    """A directory or zip of images of any size; see `ganexp.data.listing.list_images` for its layout."""
    listing = list_images(str(path), _split(split, "train", "test"))
    if not listing.names:
        return None
    return _from_files(listing, resolution, channels, fit, in_memory, on_error)


def fake(root: str, split: str, resolution: int, channels: int, num_classes: int = 10, size: int = 1000) -> ImageSet:
    """Noise of a brightness that tells the class, for trying out shapes and speed: `size` images a split."""
    generator = torch.Generator().manual_seed({"train": 0, "test": 1}[_split(split, "train", "test")])
    labels = torch.arange(size) % max(num_classes, 1)
    noise = torch.randint(0, 128, (size, channels, resolution, resolution), dtype=torch.uint8, generator=generator)
    brightness = (labels * 127 // max(num_classes, 1)).to(torch.uint8)
    images = noise + brightness[:, None, None, None]  # (N,) -> (N, C, H, W)
    return ImageSet(images, labels if num_classes else None, [str(i) for i in range(num_classes)])


def _from_files(
    listing: Listing, resolution: int, channels: int, fit: str, in_memory: bool | str, on_error: str
) -> ImageSet:
    files = FileImages(listing, resolution, channels, fit)
    keep = fits(len(files), resolution, channels, torch.device("cpu")) if in_memory == "auto" else in_memory
    images, good = decode(files, log.warning, on_error, keep)
    labels: Tensor | None = None if listing.labels is None else torch.tensor(listing.labels)[good]
    return ImageSet(images, labels, listing.classes)


def _split(split: str, *choices: str) -> str:
    if split not in choices:
        raise UserError(f"data.split={split}: this set has {', '.join(choices)}")
    return split


def _fetch(load: Callable[[bool], Any], root: str, files: list[str], url: str) -> Any:
    """What `load(download=False)` gives, downloading first if the files are not there.

    Raises:
        UserError: not there and not to be had, naming the files, the folder and the address.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return load(False)
        except FileNotFoundError:
            pass
        except (RuntimeError, ValueError, AssertionError, EOFError) as error:
            if "not found" not in str(error):
                raise UserError(
                    f"The data set under {root} is damaged ({error}).\n"
                    f"Delete {', '.join(files)} there, and they are fetched again."
                ) from None
        offline.check(url)
        Path(root).mkdir(parents=True, exist_ok=True)
        log.info("not under %s: downloading from %s", root, url)
        try:
            return load(True)
        except (URLError, RuntimeError, OSError) as error:
            reason = getattr(error, "reason", error)
    wanted = "\n".join(f"  {Path(root) / name}" for name in files)
    unpacked = " (unpacked)" if url.endswith(".tar.gz") and not files[0].endswith(".tar.gz") else ""
    raise UserError(
        f"The data set is not on this machine, and downloading it failed ({reason}).\nPut in place:\n{wanted}\n"
        f"from {url}{unpacked}\nor name the folder that has it: data.root=FOLDER (now {root})."
    )
