"""Read images from the files of a directory or zip."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ganexp.console import count, progress
from ganexp.data.archive import ZipReader, refuse_huge
from ganexp.data.decoding import DARK, DECODING_ERRORS, SCALED, Decoding, decode_image
from ganexp.data.images import Fit, ImageSet, PixelDigest, WrongSize, fit_to, fits
from ganexp.data.listing import Listing
from ganexp.data.scan import counts_as_text
from ganexp.errors import UserError

OnError = Literal["skip", "raise"]
InMemory = bool | Literal["auto"]

MOST_AHEAD = 256  # largest number of images that are decoded in advance; the limit saves memory

DARK_WARNING = (
    "no image with more than 8 bits uses more than the lowest eighth of its range. If the values have 10 or 12 bits, "
    "set data.source.value_range=[0,1023] or [0,4095]."
)


class FileImages(Dataset):
    """The images of a listing's files, all with the same resolution: item i is the image of file i, uint8 (C, H, W).

    Args:
        listing: The files.
        resolution: Height and width of the images, in pixels.
        decoding: How the files are decoded.
        fit: How images of another size are resized, see `fit_to`.
    """

    def __init__(self, listing: Listing, resolution: int, decoding: Decoding, fit: Fit) -> None:
        self.root, self.names = listing.root, list(listing.names)
        self.resolution, self.decoding, self.fit = resolution, decoding, fit
        self._zip = None if listing.root.is_dir() else ZipReader(listing.root)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Tensor:
        """Return the image at `index`, which `decode` has already read once.

        Raises:
            UserError: If the file cannot be read any more.
        """
        try:
            return self.read(index)[0]
        except DECODING_ERRORS as error:
            raise UserError(
                f"{self.root / self.names[index]}: this image could be read at the start, and cannot be read now "
                f"({getattr(error, 'strerror', None) or error}).\n"
                "Put it back. To continue a training: ganexp resume RUN"
            ) from None

    def read(self, index: int) -> tuple[Tensor, set[str]]:
        """Return the image at `index`, and the notes of `decode_image` about changes to it.

        Raises:
            UserError: If the settings do not allow the image, for example because `fit` refuses its size.
            Exception: One of `DECODING_ERRORS`, if the file is missing or broken.
        """
        try:
            pixels, done = decode_image(self._content(self.names[index]), self.decoding)
            return fit_to(pixels, self.resolution, self.decoding.channels, self.fit), done
        except UserError as error:
            raise type(error)(f"{self.root / self.names[index]}: {error}") from None

    def _content(self, name: str) -> bytes:
        if self._zip:
            return self._zip.read(name)
        path = self.root / name
        refuse_huge(path.stat().st_size)
        return path.read_bytes()


@dataclass
class Decoded:
    """The images that could be decoded.

    Attributes:
        images: uint8 (N, C, H, W), or the files, which are decoded when needed.
        indices: int64 (N,), positions of the images in the listing.
        notes: Lines about changed or broken images. Each line begins with the number of images that it is about.
        warnings: Warnings about probable mistakes. Each warning says how to correct the mistake.
        digest: The hash of the images.
    """

    images: Tensor | FileImages
    indices: Tensor
    notes: list[str]
    warnings: list[str]
    digest: PixelDigest


def read_listing(
    listing: Listing,
    resolution: int,
    decoding: Decoding,
    fit: Fit,
    in_memory: InMemory,
    on_error: OnError,
    report: Callable[[str], None],
    fix_of_size: str = "data.source.fit=exact refuses this size: use data.source.fit=crop or stretch to resize images.",
) -> ImageSet:
    """Return the images of a listing with their labels.

    Args:
        listing: The files.
        resolution: Height and width of the images, in pixels.
        decoding: How the files are decoded.
        fit: How images of another size are resized, see `fit_to`.
        in_memory: Whether to keep the decoded images in memory; `auto` keeps them if they take less than a quarter of
            the machine's memory.
        on_error: How to handle a broken image: `skip` leaves it out, `raise` raises an error.
        report: Function that is called with a line for each of the first ten broken files, and with a line
            for the number of all broken files.
        fix_of_size: The line of the error message that says what to do if `fit` refuses the size of an image.

    Raises:
        UserError: If no image can be read, if an image is broken and `on_error` is `raise`, or if `fit` refuses the
            size of an image.
    """
    files = FileImages(listing, resolution, decoding, fit)
    keep = in_memory
    if keep == "auto":
        keep = fits(len(files), resolution, decoding.channels, torch.device("cpu"))
    try:
        decoded = decode(files, report, on_error, keep)
    except WrongSize as error:
        raise UserError(f"{error}.\n{fix_of_size}") from None
    labels = None if listing.labels is None else torch.tensor(listing.labels)[decoded.indices]
    notes = decoded.notes
    if in_memory == "auto" and not keep:
        notes = [*notes, "decoded again in every epoch, because all images would take a quarter of the memory or more"]
    if passed_over := counts_as_text(listing.passed_over):
        notes = [*notes, f"passed over: {passed_over}"]
    image_set = ImageSet(decoded.images, labels, listing.classes, notes, [*listing.warnings, *decoded.warnings])
    image_set.set_fingerprint(decoded.digest)
    return image_set


def decode(files: FileImages, report: Callable[[str], None], on_error: OnError, keep: bool) -> Decoded:
    """Decode every file once, to detect all broken files before training.

    Args:
        files: The files. The names of broken files are removed from `files.names`.
        report: Function that is called with a line for each of the first ten broken files, and with a line
            for the number of all broken files.
        on_error: `skip` leaves out broken files, `raise` raises an error.
        keep: Whether to return the decoded images instead of the files.

    Raises:
        WrongSize: If `files.fit` refuses the size of an image.
        UserError: If no file can be read, or if a file is broken and `on_error` is `raise`.
    """
    images, indices, broken, digest = [], [], [], PixelDigest()
    treated: Counter[str] = Counter()
    for index, result in enumerate(_decode_in_threads(files)):
        if isinstance(result, tuple):
            if keep:
                images.append(result[0])
            indices.append(index)
            digest.add(result[0])
            treated.update(result[1])
            continue
        line = f"{files.names[index]}: {result}"
        if on_error == "raise":
            raise UserError(f"Broken image {line}\nRepair or remove the file.")
        broken.append(line)
    for line in broken[:10]:
        report(f"broken image left out: {line}")
    if broken:
        report(f"left out as broken: {len(broken):,} of {count(len(files), 'image')}")
    if not indices:
        raise UserError(f"None of the images of {files.root} can be read.")
    files.names = [files.names[i] for i in indices]
    notes, warnings = _notes(treated, len(broken), files.decoding.background), []
    if 0 < treated[SCALED] == treated[DARK]:
        warnings.append(DARK_WARNING)
    return Decoded(torch.stack(images) if keep else files, torch.tensor(indices), notes, warnings, digest)


def _notes(treated: Counter[str], broken: int, background: str) -> list[str]:
    said = [what for what in sorted(treated) if what != DARK]
    notes = [f"{count(treated[what], 'image')} {what.format(background=background)}" for what in said]
    return [*notes, f"{count(broken, 'image')} broken and left out"] if broken else notes


def _decode_in_threads(files: FileImages) -> Iterator[tuple[Tensor, set[str]] | Exception]:
    """Yield, for each file, the image and the notes about it, or the error if the file is broken."""

    def attempt(index: int) -> tuple[Tensor, set[str]] | Exception:
        try:
            return files.read(index)
        except DECODING_ERRORS as error:
            return error

    every = range(len(files))
    parts = (every[start : start + MOST_AHEAD] for start in every[::MOST_AHEAD])
    with ThreadPoolExecutor() as pool:
        decoded = chain.from_iterable(pool.map(attempt, part) for part in parts)
        yield from progress(decoded, "reading images", total=len(files))
