"""The datasets that a config can choose. Each function returns one split as an `ImageSet`.

Every function takes these arguments:

- `root`: the directory of the datasets;
- `split`: the name of the split. `test` is the held-out part; if a dataset has no such part, its function returns None;
- `resolution`: height and width of the images, in pixels;
- `channels`: 1 (grey) or 3 (colour).

torchvision downloads the published datasets, and decodes all except Flowers 102. Every function raises `UserError` for
a split that the dataset does not have, and for files that are missing and cannot be downloaded.
"""

import logging
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torchvision import datasets
from torchvision.datasets.utils import check_integrity

from ganexp.data.decoding import Decoding
from ganexp.data.download import fetch
from ganexp.data.files import InMemory, OnError, read_listing
from ganexp.data.images import Fit, ImageSet, fit_to
from ganexp.data.listing import Listing, list_images
from ganexp.errors import UserError
from ganexp.types import FiniteFloat, NonNegativeInt, PositiveInt

log = logging.getLogger(__name__)

# images: uint8 (1797, 8, 8), values 0 to 16; labels: uint8 (1797,). They are the data of scikit-learn's load_digits:
# the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, UCI Machine Learning
# Repository, CC BY 4.0), as distributed with scikit-learn (BSD-3-Clause).
DIGITS_FILE = Path(__file__).with_name("digits.npz")


def digits(root: str, split: str, resolution: int, channels: int) -> ImageSet:
    """Return scikit-learn's 1,797 handwritten digits: 8x8 pixels with 17 grey levels. Their file is part of ganexp.

    Every fifth image belongs to the test split: 1,438 images are for training and 359 for testing.
    """
    with np.load(DIGITS_FILE, allow_pickle=False) as data:
        levels, labels = torch.from_numpy(data["images"]), torch.from_numpy(data["labels"]).long()
    images = (levels.double() * (255 / 16)).round().to(torch.uint8)[:, None]  # (N, 8, 8) -> (N, 1, 8, 8)
    held_out = torch.arange(len(images)) % 5 == 4
    chosen = {"train": ~held_out, "test": held_out}[_check_split(split, "train", "test")]
    return ImageSet(fit_to(images[chosen], resolution, channels), labels[chosen], [str(i) for i in range(10)])


def mnist(root: str, split: str, resolution: int, channels: int, fashion: bool = False) -> ImageSet:
    """Return MNIST (LeCun et al. 1998) or Fashion-MNIST (Xiao et al. 2017): 28x28, grey.

    There are 60,000 training images and 10,000 test images.
    """
    published = datasets.FashionMNIST if fashion else datasets.MNIST
    is_train = _check_split(split, "train", "test") == "train"
    stem = "train" if is_train else "t10k"
    own = [(name, md5) for name, md5 in published.resources if name.startswith(stem)]
    # a subclass that needs only the files of one split; torchvision uses the name of the class in the files' path
    dataset = type(published.__name__, (published,), {"resources": own})
    files = [f"{dataset.__name__}/raw/{name.removesuffix('.gz')}" for name, _ in own]
    data = fetch(partial(dataset, root, train=is_train), root, files, published.mirrors[0])
    return ImageSet(fit_to(data.data[:, None], resolution, channels), data.targets, data.classes)


def cifar(root: str, split: str, resolution: int, channels: int, classes: Literal[10, 100] = 10) -> ImageSet:
    """Return CIFAR-10 or CIFAR-100 (Krizhevsky 2009): 32x32, colour.

    There are 50,000 training images and 10,000 test images.
    """
    dataset = {10: datasets.CIFAR10, 100: datasets.CIFAR100}[classes]
    is_train = _check_split(split, "train", "test") == "train"
    data = fetch(partial(dataset, root, train=is_train), root, [dataset.filename], dataset.url)
    images = torch.from_numpy(data.data).permute(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W)
    return ImageSet(fit_to(images, resolution, channels), torch.tensor(data.targets), data.classes)


class _STL10(datasets.STL10):
    """torchvision's dataset, changed so that it needs only the files of its own split."""

    def _check_integrity(self) -> bool:
        files = [f for f in self.train_list + self.test_list if f[0].split("_")[0] == self.split]
        folder = Path(self.root) / self.base_folder
        if not all((folder / name).is_file() for name, _ in files):
            return False
        for name, md5 in files:
            if not check_integrity(str(folder / name), md5):
                log.warning("%s is not the published file: its MD5 differs", folder / name)
        return True


def stl10(root: str, split: str, resolution: int, channels: int) -> ImageSet:
    """Return STL-10 (Coates et al. 2011), 96x96, colour.

    Splits: train (5,000), test (8,000), train+test (13,000) and unlabeled (100,000, without classes).
    """
    _check_split(split, "train", "test", "train+test", "unlabeled")
    parts = []
    for part in split.split("+"):
        files = [f"stl10_binary/{part}_X.bin"] + ([f"stl10_binary/{part}_y.bin"] if part != "unlabeled" else [])
        parts.append(fetch(partial(_STL10, root, split=part), root, files, _STL10.url))
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
    fit: Fit = "stretch",
    in_memory: InMemory = "auto",
    on_error: OnError = "skip",
) -> ImageSet | None:
    """Return Oxford Flowers 102 (Nilsback and Zisserman 2008), colour photographs of 102 classes.

    Splits: all (8,189), and the dataset's own train and val (1,020 each). There is no test split, because `all`
    includes every image. The function `folder` describes `fit`, `in_memory` and `on_error`.
    """
    if split == "test":
        return None
    _check_split(split, "all", "train", "val")
    dataset = datasets.Flowers102
    files = [
        f"flowers-102/{name}" for name in ("jpg/image_00001.jpg … image_08189.jpg", "imagelabels.mat", "setid.mat")
    ]
    parts = [
        fetch(partial(dataset, root, split=part), root, files, dataset._download_url_prefix)
        for part in (("train", "val", "test") if split == "all" else (split,))
    ]
    directory = Path(root) / "flowers-102"
    names = [str(file.relative_to(directory)) for data in parts for file in data._image_files]
    labels = [label for data in parts for label in data._labels]
    listing = Listing(directory, names, labels, list(dataset.classes))
    return read_listing(listing, resolution, Decoding(channels), fit, in_memory, on_error, log.warning)


def folder(
    root: str,
    split: str,
    resolution: int,
    channels: int,
    path: str,
    fit: Fit = "crop",
    in_memory: InMemory = "auto",
    on_error: OnError = "skip",
    background: str = "white",
    value_range: list[FiniteFloat] | None = None,
) -> ImageSet | None:
    """Return the images of a directory or zip. docs/images.md describes how folders and files are read.

    Args:
        root: Not used.
        split: `train` or `test`.
        resolution: Height and width of the images, in pixels.
        channels: Number of channels of the images, 1 or 3.
        path: The directory or zip.
        fit: How images of another size are resized: `crop` cuts out the centre square, `stretch` ignores the aspect
            ratio, `exact` refuses images of another size.
        in_memory: Whether to keep the decoded images in memory; `auto` keeps them if they take less than a quarter of
            the machine's memory.
        on_error: How to handle a broken image: `skip` leaves it out, `raise` raises an error.
        background: The colour of transparent parts: a name, or #rrggbb.
        value_range: The two values of black and white in grey images with more than 8 bits. None uses the full range of
            the file's bits, and refuses floating-point, signed and 32-bit values.
    """
    decoding = Decoding(channels, background, value_range)
    listing = list_images(path, _check_split(split, "train", "test"))
    if not listing.names:
        return None
    return read_listing(listing, resolution, decoding, fit, in_memory, on_error, log.warning)


def fake(
    root: str,
    split: str,
    resolution: int,
    channels: int,
    num_classes: NonNegativeInt = 10,
    size: PositiveInt = 1000,
) -> ImageSet:
    """Return `size` noise images with a brightness that depends on the class, to test shapes and speed."""
    generator = torch.Generator().manual_seed({"train": 0, "test": 1}[_check_split(split, "train", "test")])
    labels = torch.arange(size) % max(num_classes, 1)
    noise = torch.randint(0, 128, (size, channels, resolution, resolution), dtype=torch.uint8, generator=generator)
    brightness = (labels * 127 // max(num_classes, 1)).to(torch.uint8)
    images = noise + brightness[:, None, None, None]  # (N,) -> (N, C, H, W)
    return ImageSet(images, labels if num_classes else None, [str(i) for i in range(num_classes)])


def _check_split(split: str, *choices: str) -> str:
    """Return `split` if it is one of `choices`."""
    if split not in choices:
        raise UserError(f"split={split}: this dataset has the splits {', '.join(choices)}.")
    return split
