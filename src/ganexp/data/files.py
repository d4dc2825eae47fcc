"""Images that are decoded from the files of a directory or zip."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as transforms

from ganexp.console import progress
from ganexp.data.archive import ZipReader
from ganexp.data.images import Fit, fit_to
from ganexp.data.listing import FORMATS, Listing
from ganexp.errors import UserError

OnError = Literal["skip", "raise"]

_PILLOW_FORMATS = sorted(set(FORMATS.values()))  # no other decoder of Pillow is run on a downloaded file
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow raises


class FileImages(Dataset):
    """Images decoded from the files of a listing, at one resolution: `files[i]` is uint8 (C, H, W).

    Args:
        listing: The files.
        resolution: Height and width of the images, in pixels.
        channels: 1 or 3.
        fit: How an image of another size is fitted, as for `fit_to`.
    """

    def __init__(self, listing: Listing, resolution: int, channels: int, fit: Fit) -> None:
        self.listing, self.names = listing, list(listing.names)
        self.resolution, self.channels, self.fit = resolution, channels, fit
        self._zip = None if listing.root.is_dir() else ZipReader(listing.root)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Tensor:
        content = io.BytesIO(self._read(self.names[index]))
        with Image.open(content, formats=_PILLOW_FORMATS) as image:
            pixels = transforms.pil_to_tensor(image.convert("L" if self.channels == 1 else "RGB"))
        return fit_to(pixels, self.resolution, self.channels, self.fit)

    def _read(self, name: str) -> bytes:
        return self._zip.read(name) if self._zip else (self.listing.root / name).read_bytes()


def decode(
    files: FileImages, report: Callable[[str], None], on_error: OnError, keep: bool
) -> tuple[Tensor | FileImages, Tensor]:
    """Decode every file once, so that no broken file is met during training.

    Args:
        files: The files, from whose names those of broken files are removed.
        report: Called with a line for each of the first ten broken files, and with their number.
        on_error: `skip` leaves broken files out, `raise` refuses them.
        keep: Whether to return the decoded images instead of the files.

    Returns:
        The images that can be read, as uint8 (N, C, H, W) if `keep` and else as `files`; and their indices (N,), int64,
        in the listing.

    Raises:
        UserError: If no file can be read, or if one cannot and `on_error` is `raise`.
    """
    images, indices, broken = [], [], []
    for index, result in enumerate(_decode_in_threads(files, keep)):
        if isinstance(result, Tensor):
            images.append(result)
            indices.append(index)
            continue
        line = f"{files.names[index]}: {result}"
        if on_error == "raise":
            raise UserError(f"Broken image {line}\nRepair or remove the file; on_error=skip leaves such files out.")
        broken.append(line)
    for line in broken[:10]:
        report(f"broken image left out: {line}")
    if broken:
        report(f"{len(broken)} of {len(files)} images are broken and were left out")
    if not indices:
        raise UserError(f"None of the {len(files)} images of {files.listing.root} can be read.")
    files.names = [files.names[i] for i in indices]
    return (torch.stack(images) if keep else files), torch.tensor(indices)


def _decode_in_threads(files: FileImages, keep: bool) -> Iterator[Tensor | Exception]:
    """Yield each image in order, an empty tensor for it unless `keep`, or the error of a broken file."""

    def attempt(index: int) -> Tensor | Exception:
        try:
            image = files[index]
        except _DECODING_ERRORS as error:
            return error
        return image if keep else torch.empty(0)

    with ThreadPoolExecutor() as pool:
        yield from progress(pool.map(attempt, range(len(files))), "reading images", total=len(files))
