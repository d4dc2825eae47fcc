"""What an image set is: uint8 images with labels, held in one tensor or read from files one by one."""

import hashlib
import io
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol
from zipfile import ZipFile

import torch
from PIL import Image
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as transforms

from ganexp.data.listing import Listing
from ganexp.errors import UserError


class Images(Protocol):
    """Images by number, each uint8 (C, H, W)."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Tensor: ...


@dataclass
class ImageSet:
    """`images` uint8 (N, C, H, W) in one tensor or read one by one; `labels` int64 (N,) or None; `classes` by name."""

    images: Tensor | Images
    labels: Tensor | None
    classes: list[str]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def batch(self, indices: Tensor) -> Tensor:
        """Images uint8 (len(indices), C, H, W)."""
        if isinstance(self.images, Tensor):
            return self.images[indices]
        return torch.stack([self.images[i] for i in indices.tolist()])

    def fingerprint(self) -> str:
        """SHA-256 over every pixel and label, so that a changed set is never taken for the old one."""
        digest = hashlib.sha256()
        for start in range(0, len(self), 1024):
            chunk = self.batch(torch.arange(start, min(start + 1024, len(self))))
            digest.update(repr(tuple(chunk.shape)).encode() + chunk.cpu().contiguous().numpy().tobytes())
        if self.labels is not None:
            digest.update(self.labels.cpu().numpy().tobytes())
        return digest.hexdigest()


def fit_to(images: Tensor, resolution: int, channels: int, fit: str = "crop") -> Tensor:
    """uint8 (..., C, H, W) -> uint8 (..., channels, resolution, resolution), antialiased bilinear.

    `fit="crop"` takes the centre square first; `"stretch"` ignores the aspect ratio; `"exact"` refuses other sizes.
    Grey is repeated to three channels, colour is weighted to grey.
    """
    if images.shape[-3] != channels:
        to_channels = transforms.rgb_to_grayscale if channels == 1 else transforms.grayscale_to_rgb
        images = to_channels(images)
    if fit == "exact" and images.shape[-2:] != (resolution, resolution):
        high, wide = images.shape[-2:]
        raise UserError(
            f"an image of {wide}x{high} pixels, where all must have {resolution}x{resolution}: resizing would change "
            "what is measured. Score images of one size, and say data.resolution=…"
        )
    if fit == "crop" and images.shape[-1] != images.shape[-2]:
        images = transforms.center_crop(images, [min(images.shape[-2:])] * 2)
    if images.shape[-2:] != (resolution, resolution):
        images = transforms.resize(images, [resolution, resolution], antialias=True)
    return images


def fits(count: int, resolution: int, channels: int, device: torch.device) -> bool:
    """Whether `count` uint8 images take less than a quarter of the device's free, or the machine's physical, memory."""
    if device.type == "cuda":
        memory = torch.cuda.mem_get_info(device)[0]
    else:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return count * channels * resolution**2 < memory / 4


class FileImages(Dataset):
    """Images decoded from the files of a `Listing`, at one resolution. `files[i]` is uint8 (C, H, W)."""

    def __init__(self, listing: Listing, resolution: int, channels: int, fit: str) -> None:
        if fit not in ("crop", "stretch", "exact"):
            raise UserError(f"data.source.fit={fit}: use crop, stretch or exact")
        self.listing, self.names = listing, list(listing.names)
        self.resolution, self.channels, self.fit = resolution, channels, fit

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(io.BytesIO(self._read(self.names[index]))) as image:
            mode = "L" if self.channels == 1 else "RGB"
            pixels = transforms.pil_to_tensor(image.convert(mode))
        return fit_to(pixels, self.resolution, self.channels, self.fit)

    def _read(self, name: str) -> bytes:
        if self.listing.root.is_dir():
            return (self.listing.root / name).read_bytes()
        with ZipFile(self.listing.root) as archive:
            return archive.read(name)


def decode(
    files: FileImages, report: Callable[[str], None], on_error: str, keep: bool
) -> tuple[Tensor | FileImages, Tensor]:
    """Reads every file once, so that no broken one is met in training.

    Returns the good images, uint8 (N, C, H, W) if `keep`, else as files; and their numbers in `files`, int64 (N,).
    Broken files are named to `report`, counted and left out, or refused with `on_error="raise"`.

    Raises:
        UserError: a broken file with `on_error="raise"`, or no file that can be read.
    """
    if on_error not in ("skip", "raise"):
        raise UserError(f"data.on_error={on_error}: use skip or raise")

    def attempt(index: int) -> Tensor | str:
        try:
            image = files[index]
        except (
            OSError,
            SyntaxError,
            ValueError,
            Image.DecompressionBombError,
        ) as error:  # what Pillow raises
            return f"{files.names[index]}: {error}"
        return image if keep else torch.empty(0)

    images, good, broken = [], [], []
    with ThreadPoolExecutor() as pool:
        results = pool.map(attempt, range(len(files)))
        quiet = not sys.stdout.isatty()
        shown = track(results, "reading images", total=len(files), transient=True, disable=quiet)
        for index, result in enumerate(shown):
            if isinstance(result, str):
                if on_error == "raise":
                    raise UserError(f"Broken image {result}\nMend or remove it, or set data.on_error=skip")
                broken.append(result)
            else:
                images.append(result)
                good.append(index)
    for line in broken[:10]:
        report(f"broken image left out: {line}")
    if broken:
        report(f"{len(broken)} of {len(files)} images are broken and were left out")
    if not good:
        raise UserError(f"None of the {len(files)} images of {files.listing.root} can be read.")
    files.names = [files.names[i] for i in good]
    return (torch.stack(images) if keep else files), torch.tensor(good)
