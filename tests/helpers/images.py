"""Small image files in the formats of real datasets."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageChops

RANDOM = np.random.default_rng(0)


def photo(path: Path, size: tuple[int, int] = (9, 7), colour: tuple[int, int, int] | None = None) -> None:
    """Save noise or one colour as an image of `size` (width, height) pixels, and create the directory of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    if colour is None:
        pixels = RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)
    else:
        pixels = np.full((height, width, 3), colour, dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def stl10_files(root: Path, train: int = 6, test: int = 4, unlabeled: int = 5) -> Path:
    """Write the given numbers of noise images in the binary format of STL-10, and return their directory."""
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    for split, count in (("train", train), ("test", test), ("unlabeled", unlabeled)):
        RANDOM.integers(0, 256, (count, 3, 96, 96), dtype=np.uint8).tofile(folder / f"{split}_X.bin")
        if split != "unlabeled":
            (np.arange(count, dtype=np.uint8) % 10 + 1).tofile(folder / f"{split}_y.bin")
    (folder / "class_names.txt").write_text("\n".join("abcdefghij"))
    return folder


def write_files(root: Path, files: Mapping[str, bytes | int]) -> Path:
    """Write files into a directory, and return the directory.

    Args:
        root: The directory.
        files: The content of each file; the keys are paths. A number stands for a PNG of 4x4 pixels of this grey level.
    """
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(_content(content))
    return root


def write_zip(path: Path, files: Mapping[str, bytes | int], separator: str = "/") -> Path:
    """Write a zip with the files that `write_files` would write, and return the path of the zip.

    Args:
        path: The path of the zip.
        files: The content of each file; the keys are paths with slashes.
        separator: The text between the names of folders in the zip.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo()
            member.filename = name.replace("/", separator)
            archive.writestr(member, _content(content))
    return path


def _content(content: bytes | int) -> bytes:
    return encoded(Image.new("L", (4, 4), content), "PNG") if isinstance(content, int) else content


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the content of a file that stores `image` in the format `kind`, one of the formats that Pillow writes."""
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def png_of_16_bits(values: np.ndarray, colour_type: int, transparent: Sequence[int] = ()) -> bytes:
    """Return a PNG with 16 bits per channel. Pillow itself writes 16 bits per channel only for grey images.

    Args:
        values: The pixels, uint16 (H, W, C).
        colour_type: 0 means grey, 2 RGB, 4 grey with alpha, 6 RGB with alpha.
        transparent: The grey level or colour that means transparent.
    """
    return _png(values.shape, 16, colour_type, [row.astype(">u2").tobytes() for row in values], transparent)


def grey_png(values: np.ndarray, bits: int, transparent: int) -> bytes:
    """Return a grey PNG with 1, 2 or 4 bits per pixel. Pillow itself writes only 1, 8 and 16 bits.

    Args:
        values: The pixels, each from 0 to 2**bits - 1, (H, W); W * bits must be a multiple of 8.
        bits: The number of bits of a pixel.
        transparent: The grey level that means transparent, from 0 to 2**bits - 1.
    """
    in_bits = np.unpackbits(values.astype(np.uint8)[..., None], axis=2)[..., -bits:]
    rows = np.packbits(in_bits.reshape(len(values), -1), axis=1)
    return _png(values.shape, bits, 0, [row.tobytes() for row in rows], [transparent])


def _png(shape: Sequence[int], bits: int, colour_type: int, rows: Sequence[bytes], transparent: Sequence[int]) -> bytes:
    height, width = shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    pixels = b"".join(b"\0" + row for row in rows)
    colour = struct.pack(f">{len(transparent)}H", *transparent)
    parts = [(b"IHDR", header), *([(b"tRNS", colour)] if transparent else []), (b"IDAT", zlib.compress(pixels))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(*part) for part in [*parts, (b"IEND", b"")])


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff(values: np.ndarray, photometric: int, sample_format: int = 1, bits: int | None = None) -> bytes:
    """Return an uncompressed TIFF file that stores `values` in their type and byte order.

    Args:
        values: Values (H, W, C) of an integer or floating-point type with an explicit byte order.
        photometric: 0 means that white is zero, 1 that black is zero, and 2 means RGB.
        sample_format: 1 means unsigned integers, 2 signed integers, 3 floating-point numbers.
        bits: The number of bits of a sample. None means as many as the type of `values` has. 12-bit samples are packed.
    """
    order = ">" if values.dtype.byteorder == ">" else "<"
    height, width, channels = values.shape
    pixels = _packed_12_bits(values) if bits == 12 else values.tobytes()
    per_sample = [bits or values.dtype.itemsize * 8] * channels
    directory = 8 + len(pixels)
    extra = directory + 2 + 10 * 12 + 4  # the position of values that do not fit into an entry

    def entry(tag: int, numbers: Sequence[int], place: int = 0) -> bytes:
        data = struct.pack(f"{order}{len(numbers)}H", *numbers)
        data = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(f"{order}I", place)
        return struct.pack(f"{order}HHI", tag, 3, len(numbers)) + data

    entries = [
        entry(256, [width]),
        entry(257, [height]),
        entry(258, per_sample, extra),
        entry(259, [1]),
        entry(262, [photometric]),
        entry(273, [8]),
        entry(277, [channels]),
        entry(278, [height]),
        entry(279, [len(pixels)]),
        entry(339, [sample_format] * channels, extra + 2 * channels),
    ]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", directory)
    behind = struct.pack(f"{order}{2 * channels}H", *per_sample, *[sample_format] * channels)
    return head + pixels + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + b"\0\0\0\0" + behind


def _packed_12_bits(values: np.ndarray) -> bytes:
    pairs = values.reshape(-1, 2).tolist()
    return b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs)


def pnm(kind: str, values: np.ndarray, largest: int) -> bytes:
    """Return values (H, W) as a binary PGM (`P5`), or values (H, W, 3) as a binary PPM (`P6`); `largest` is white."""
    height, width = values.shape[:2]
    return f"{kind}\n{width} {height}\n{largest}\n".encode() + values.astype(">u2" if largest > 255 else "u1").tobytes()


def ycck_jpeg(image: Image.Image) -> bytes:
    """Return a CMYK image as a JPEG with inverted YCCK channels, a form that Photoshop writes."""
    *inks, black = image.split()
    stored = [ImageChops.invert(band) for band in Image.merge("RGB", inks).convert("YCbCr").split()]
    content = encoded(Image.merge("CMYK", [*stored, black]), "JPEG", quality=100, subsampling=0)
    transform = content.index(b"Adobe") + 11  # the byte that says how the channels are stored
    return content[:transform] + b"\2" + content[transform + 1 :]
