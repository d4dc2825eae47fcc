"""Image sets: uint8 images with labels, in one tensor or in files that are read one by one."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from ganexp.data.layout import match_names, shorten
from ganexp.errors import UserError

Fit = Literal["crop", "stretch", "exact"]


class WrongSize(UserError):
    """The error for an image whose size `fit=exact` refuses.

    The message does not say what to do, because this depends on the command.
    """


class Images(Protocol):
    """A sequence of images, each uint8 (C, H, W)."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Tensor: ...


@dataclass
class ImageSet:
    """Images with their labels.

    Attributes:
        images: uint8 (N, C, H, W) in one tensor, or images that are read one by one.
        labels: int64 (N,), or None if the images have no classes.
        classes: The name of each class.
        notes: Information about how the images were read, one line each.
        warnings: Warnings about probable mistakes. Each warning says how to correct the mistake.
    """

    images: Tensor | Images
    labels: Tensor | None
    classes: list[str]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _fingerprint: str | None = field(default=None, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        """Return the number of classes, 0 if the images have none."""
        return len(self.classes)

    @property
    def known_labels(self) -> Tensor:
        """Return the labels, int64 (N,). The images must have classes."""
        assert self.labels is not None
        return self.labels

    def batch(self, indices: Tensor) -> Tensor:
        """Return the images at `indices` (n,) as uint8 (n, C, H, W)."""
        if isinstance(self.images, Tensor):
            return self.images[indices]
        return torch.stack([self.images[i] for i in indices.tolist()])

    @property
    def class_counts(self) -> list[int]:
        """Return the number of images of each class; empty if the images have no classes."""
        if self.labels is None:
            return []
        return self.labels.bincount(minlength=len(self.classes)).tolist()

    def match_classes(self, classes: Sequence[str]) -> "ImageSet":
        """Return these images with labels for `classes`: label k means `classes[k]`.

        Each class of these images must be in `classes`, but the case of its name may differ. A note lists the names
        that differ. `classes` may have further classes, without images.

        Raises:
            UserError: If these images have no labels, or a class that is not in `classes`, or two classes that match
                the same class. The message names these classes.
        """
        if self.labels is None:
            raise UserError(
                f"the images have no classes, but the training has the classes {shorten(classes, 20)}.\n"
                "Put the images of each class into a folder with the name of the class."
            )
        if list(classes) == self.classes:
            return self
        places = match_names(self.classes, classes)
        renamed = [
            f"{own} means {classes[place]}"
            for own, place in zip(self.classes, places, strict=True)
            if own != classes[place]
        ]
        notes = [f"class names differ in case: {', '.join(renamed)}"] if renamed else []
        return ImageSet(
            self.images, torch.tensor(places)[self.labels], list(classes), [*self.notes, *notes], self.warnings
        )

    def random_part(self, count: int) -> "ImageSet":
        """Return `count` random images, or all images if there are fewer.

        The images for a small `count` are also among the images for a larger `count`.
        """
        chosen = torch.randperm(len(self), generator=torch.Generator().manual_seed(0))[:count]
        images = self.images[chosen] if isinstance(self.images, Tensor) else _Part(self.images, chosen.tolist())
        return ImageSet(images, None if self.labels is None else self.labels[chosen], self.classes)

    def fingerprint(self) -> str:
        """Return the SHA-256 of all pixels and labels, which identifies the content of the set in caches.

        The fingerprint is computed only once, so the images and labels of a set must not be changed.
        """
        if self._fingerprint is None:
            digest = PixelDigest()
            for index in range(len(self)):
                digest.add(self.images[index])
            self.set_fingerprint(digest)
        assert self._fingerprint is not None
        return self._fingerprint

    def set_fingerprint(self, digest: "PixelDigest") -> None:
        """Compute the fingerprint from the digest of all images in their order, so that they need not be read again."""
        self._fingerprint = digest.with_labels(self.labels)


def check_image_set(found: object, resolution: int, channels: int) -> ImageSet | None:
    """Return `found` if it is None or an image set with images of the configured size.

    `found` is what a dataset's function has returned. If its images are read one by one, only the first is checked.

    Raises:
        UserError: If `found` is neither None nor an `ImageSet`, if its images are not uint8 (N, channels, resolution,
            resolution), or if its labels are wrong. The labels must be None, or int64 (N,) with the index of each
            image's class.
    """
    if found is None:
        return None
    if not isinstance(found, ImageSet):
        raise UserError(
            "data.source: the function must return an ImageSet, or None for a test split that does not exist, but it "
            f"returned a {type(found).__name__}."
        )
    size, count, classes = (channels, resolution, resolution), len(found), len(found.classes)
    if count and not _is_tensor(image := found.images[0], torch.uint8, size):
        raise UserError(
            f"data.source: each image must be uint8 {size}, with data.channels={channels} and "
            f"data.resolution={resolution}, but the first is {_describe(image)}."
        )
    labels = found.labels
    if labels is None:
        return found
    if not _is_tensor(labels, torch.int64, (count,)):
        raise UserError(f"data.source: labels must be None or int64 {(count,)}, but they are {_describe(labels)}.")
    if count and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise UserError(
            f"data.source: there are the names of {classes} classes, so each label must be at least 0 and less than "
            f"{classes}, but the labels reach from {int(labels.min())} to {int(labels.max())}."
        )
    return found


def _is_tensor(value: object, dtype: torch.dtype, shape: tuple[int, ...]) -> bool:
    return isinstance(value, Tensor) and value.dtype == dtype and value.shape == shape


def _describe(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return f"a {type(value).__name__}"


class PixelDigest:
    """The SHA-256 of images that are added one by one."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._waiting: list[Tensor] = []

    def add(self, image: Tensor) -> None:
        """Add an image, uint8 (C, H, W). At most 1,024 images are kept until their pixels are hashed."""
        self._waiting.append(image)
        if len(self._waiting) == 1024:
            self._hash_waiting()

    def with_labels(self, labels: Tensor | None) -> str:
        """Return the hash of all added images and their labels (N,), in hexadecimal digits."""
        self._hash_waiting()
        sha256 = self._sha256.copy()
        if labels is not None:
            sha256.update(labels.cpu().numpy().tobytes())
        return sha256.hexdigest()

    def _hash_waiting(self) -> None:
        if self._waiting:
            chunk = torch.stack(self._waiting)
            self._sha256.update(repr(tuple(chunk.shape)).encode() + chunk.cpu().numpy().tobytes())
            self._waiting.clear()


@dataclass
class _Part:
    """Some of the images of a sequence.

    Attributes:
        images: the whole sequence.
        chosen: the indices of the chosen images in `images`.
    """

    images: Images
    chosen: Sequence[int]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[self.chosen[index]]


def fit_to(images: Tensor, resolution: int, channels: int, fit: Fit = "crop") -> Tensor:
    """Convert uint8 images (..., C, H, W) to uint8 (..., channels, resolution, resolution).

    Resizing is antialiased and bilinear. The channel of grey images is repeated to get three channels; colour images
    are converted to grey with the weighted sum of ITU-R 601, rounded as by Pillow's `Image.convert("L")`.

    Args:
        images: Images of one size, with one or three channels.
        resolution: Height and width of the result, in pixels.
        channels: Number of channels of the result, 1 or 3.
        fit: `crop` cuts out the centre square before resizing, `stretch` ignores the aspect ratio, `exact` refuses
            images of another size.

    Raises:
        WrongSize: If `fit` is `exact` and the images have another size.
    """
    if images.shape[-3] != channels:
        to_channels = _to_grey if channels == 1 else transforms.grayscale_to_rgb
        images = to_channels(images)
    height, width = images.shape[-2:]
    if fit == "exact" and (height, width) != (resolution, resolution):
        raise WrongSize(f"this image has {width}x{height} pixels, and must have {resolution}x{resolution}")
    if fit == "crop" and height != width:
        images = transforms.center_crop(images, [min(height, width)] * 2)
    if images.shape[-2:] != (resolution, resolution):
        images = transforms.resize(images, [resolution, resolution], antialias=True)
    return images


def _to_grey(images: Tensor) -> Tensor:
    """Return colour images, uint8 (..., 3, H, W), as grey images (..., 1, H, W)."""
    red, green, blue = (channel.int() for channel in images.split(1, dim=-3))
    # Pillow's weights of ITU-R 601, multiplied by 2^16; adding 2^15 rounds to the nearest level
    return ((red * 19595 + green * 38470 + blue * 7471 + 2**15) >> 16).to(torch.uint8)


def fits(count: int, resolution: int, channels: int, device: torch.device) -> bool:
    """Return whether `count` uint8 images take less than a quarter of the memory of `device`.

    The memory is the free memory of a GPU or, if the device is the CPU, the physical memory of the machine.
    """
    if device.type == "cuda":
        memory = torch.cuda.mem_get_info(device)[0]
    else:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return count * channels * resolution**2 < memory / 4
