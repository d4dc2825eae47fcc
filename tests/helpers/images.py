"""Small image files in the true formats."""

import numpy as np
from PIL import Image

RANDOM = np.random.default_rng(0)


def photo(path, size=(9, 7), colour=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (
        RANDOM.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
        if colour is None
        else np.full((*size[::-1], 3), colour)
    )
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def stl10_files(root, train=6, test=4, unlabeled=5):
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    for split, count in (("train", train), ("test", test), ("unlabeled", unlabeled)):
        RANDOM.integers(0, 256, (count, 3, 96, 96), dtype=np.uint8).tofile(folder / f"{split}_X.bin")
        if split != "unlabeled":
            (np.arange(count, dtype=np.uint8) % 10 + 1).tofile(folder / f"{split}_y.bin")
    (folder / "class_names.txt").write_text("\n".join("abcdefghij"))
    return folder
