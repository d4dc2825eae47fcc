"""Small image files in the formats of real datasets."""

from pathlib import Path

import numpy as np
from PIL import Image

RANDOM = np.random.default_rng(0)


def photo(path: Path, size: tuple[int, int] = (9, 7), colour: tuple[int, int, int] | None = None) -> None:
    """Save an image of `size` (width, height) pixels, with its directory: noise, or one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    if colour is None:
        pixels = RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)
    else:
        pixels = np.full((height, width, 3), colour, dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def stl10_files(root: Path, train: int = 6, test: int = 4, unlabeled: int = 5) -> Path:
    """Write noise in the binary format of STL-10, with the given numbers of images; return its directory."""
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    for split, count in (("train", train), ("test", test), ("unlabeled", unlabeled)):
        RANDOM.integers(0, 256, (count, 3, 96, 96), dtype=np.uint8).tofile(folder / f"{split}_X.bin")
        if split != "unlabeled":
            (np.arange(count, dtype=np.uint8) % 10 + 1).tofile(folder / f"{split}_y.bin")
    (folder / "class_names.txt").write_text("\n".join("abcdefghij"))
    return folder
