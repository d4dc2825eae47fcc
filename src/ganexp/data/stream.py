"""Endless real batches. Batch k is a pure function of (seed, k); the stream's whole state is k."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ganexp.data.images import ImageSet


class Batch(NamedTuple):
    """Images float (N, C, H, W) in the stream's range; labels int64 (N,) or None."""

    images: Tensor
    labels: Tensor | None


class ImageStream:
    """Shuffled batches without end: every image once an epoch, an incomplete last batch left out.

    A `resident` set, held in one tensor, moves to `device` once, and is picked from, flipped and scaled there; of any
    other `workers` processes gather the batches ahead of need.

    Args:
        image_set: what to draw from; at least `batch_size` images.
        flip: mirror each image with probability ½.
        position: the number k of the next batch.
        unit: pixels in [0, 1] instead of [-1, 1].
    """

    def __init__(
        self,
        image_set: ImageSet,
        batch_size: int,
        seed: int,
        flip: bool = False,
        device: torch.device | str = "cpu",
        resident: bool = True,
        workers: int = 2,
        position: int = 0,
        unit: bool = False,
    ) -> None:
        self.image_set, self.batch_size, self.seed, self.flip = image_set, batch_size, seed, flip
        self.device, self.workers, self.position, self.unit = torch.device(device), workers, position, unit
        self.batches_per_epoch = len(image_set) // batch_size
        self.labels = None if image_set.labels is None else image_set.labels.to(self.device)
        self._resident = resident and isinstance(image_set.images, Tensor)
        self._images = image_set.images.to(self.device) if self._resident else None
        self._loader: Iterator[Tensor] | None = None
        self._epoch = -1

    def next(self) -> Batch:
        """The next batch, on the device."""
        epoch, index = divmod(self.position, self.batches_per_epoch)
        if epoch != self._epoch:
            order, mirrored = self._shuffle(epoch)
            self._epoch, self._order, self._mirrored = epoch, order.to(self.device), mirrored.to(self.device)
        chosen = slice(index * self.batch_size, (index + 1) * self.batch_size)
        indices = self._order[chosen]
        pixels = self._images[indices] if self._resident else self._read_ahead()
        images = pixels.float().div_(255) if self.unit else pixels.float().div_(127.5).sub_(1)
        if self.flip:
            images = torch.where(self._mirrored[chosen, None, None, None], images.flip(-1), images)
        self.position += 1
        return Batch(images, None if self.labels is None else self.labels[indices])

    def _shuffle(self, epoch: int) -> tuple[Tensor, Tensor]:
        """The order of the images (N,) in this epoch, and which of them, by place, are mirrored (N,)."""
        mixed = int(np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)[0] >> np.uint64(1))
        generator = torch.Generator().manual_seed(mixed)
        count = len(self.image_set)
        return torch.randperm(count, generator=generator), torch.rand(count, generator=generator) < 0.5

    def _read_ahead(self) -> Tensor:
        """uint8 (N, C, H, W) of the batch at `position`, which the workers have had in work for a while."""
        if self._loader is None:
            loader = DataLoader(
                _Decoded(self.image_set), batch_size=None, sampler=_Orders(self._shuffle, self.batch_size,
                self.batches_per_epoch, self.position), num_workers=self.workers, generator=torch.Generator(),
                pin_memory=self.device.type == "cuda", prefetch_factor=4 if self.workers else None,
            )  # fmt: skip
            self._loader = iter(loader)
        return next(self._loader).to(self.device, non_blocking=True)


class _Decoded:
    """A data set whose items are whole batches: indices (N,) -> uint8 (N, C, H, W)."""

    def __init__(self, image_set: ImageSet) -> None:
        self.image_set = image_set

    def __getitem__(self, indices: Tensor) -> Tensor:
        return self.image_set.batch(indices)


class _Orders:
    """Endless index batches from batch number `start` on."""

    def __init__(self, shuffle, batch_size: int, batches_per_epoch: int, start: int) -> None:
        self.shuffle, self.batch_size = shuffle, batch_size
        self.batches_per_epoch, self.start = batches_per_epoch, start

    def __iter__(self) -> Iterator[Tensor]:
        epoch, first = divmod(self.start, self.batches_per_epoch)
        while True:
            order, _ = self.shuffle(epoch)
            for index in range(first, self.batches_per_epoch):
                yield order[index * self.batch_size : (index + 1) * self.batch_size]
            epoch, first = epoch + 1, 0
