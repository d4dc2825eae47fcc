"""An endless stream of batches of real images. Batch k depends only on the seed and k, so k is the whole state."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganexp.data.images import ImageSet
from ganexp.errors import UserError
from ganexp.pixels import PixelRange, from_uint8


class Batch(NamedTuple):
    """Images, float32 (N, C, H, W) in the stream's range, and labels, int64 (N,) or None."""

    images: Tensor
    labels: Tensor | None


class ImageStream:
    """An endless iterator over shuffled batches on `device`: `next(stream)` is a `Batch`.

    Each epoch has every image once, but an incomplete last batch is left out.

    Args:
        image_set: The images, at least `batch_size` of them.
        batch_size: Number of images in a batch.
        seed: Seed of the order and of the mirroring.
        flip: Whether to mirror each image with probability ½.
        device: Device of the batches.
        resident: Whether to keep the images on `device` and to select the batches there. This needs images in one
            tensor. In all other cases, worker processes prepare the batches ahead of time.
        workers: Number of worker processes; with 0, this process prepares the batches.
        position: The number k of the next batch.
        pixel_range: `symmetric` scales pixels to [-1, 1], `unit` to [0, 1].
        repeat_first_batch: Whether every batch is the first batch, k = 0, to test whether a GAN can overfit this batch.
        rank: Number of this process among all processes of the training. Each process takes its share of every batch.
        processes: How many processes train together; `batch_size` must be a multiple of this number.
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
        pixel_range: PixelRange = "symmetric",
        repeat_first_batch: bool = False,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.image_set, self.batch_size, self.seed, self.flip = image_set, batch_size, seed, flip
        self.device, self.workers = torch.device(device), workers
        self.position, self.pixel_range = position, pixel_range
        self.repeat_first_batch = repeat_first_batch
        self.rank, self.processes = rank, processes
        self._first_batch: Batch | None = None
        self.batches_per_epoch = len(image_set) // batch_size
        self.labels = None if image_set.labels is None else image_set.labels.to(self.device)
        images = image_set.images
        self._images = images.to(self.device) if resident and isinstance(images, Tensor) else None
        self._loader: Iterator[Tensor | UserError] | None = None
        self._loader_position = -1  # the number of the batch that the loader returns next
        self._epoch = -1

    @property
    def epochs(self) -> float:
        """The number of epochs so far, which may be a fraction."""
        return self.position / self.batches_per_epoch

    def __iter__(self) -> "ImageStream":
        return self

    def __next__(self) -> Batch:
        if not self.repeat_first_batch:
            batch = self._batch(self.position)
        elif self._first_batch is None:
            batch = self._first_batch = self._batch(0)
        else:
            batch = self._first_batch
        self.position += 1
        return batch

    def _batch(self, number: int) -> Batch:
        epoch, index = divmod(number, self.batches_per_epoch)
        if epoch != self._epoch:
            order, mirrored = (self._to_device(each) for each in self._shuffle(epoch))
            self._epoch, self._order, self._mirrored = epoch, order, mirrored
        chosen = self._share(index)
        indices = self._order[chosen]
        pixels = self._next_from_loader(number) if self._images is None else self._images[indices]
        images = from_uint8(pixels, self.pixel_range)
        if self.flip:
            images = torch.where(self._mirrored[chosen, None, None, None], images.flip(-1), images)
        return Batch(images, None if self.labels is None else self.labels[indices])

    def _share(self, index: int) -> slice:
        """Return the slice of an epoch's shuffled images that is this process's share of batch `index`."""
        size = self.batch_size // self.processes
        start = index * self.batch_size + self.rank * size
        return slice(start, start + size)

    def _to_device(self, tensor: Tensor) -> Tensor:
        """Return the tensor on the device, without waiting for the copy."""
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else tensor

    def _shuffle(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Return the order (N,) of the images in this epoch, and whether each position is mirrored, bool (N,)."""
        mixed = int(np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)[0] >> np.uint64(1))
        generator = torch.Generator().manual_seed(mixed)
        count = len(self.image_set)
        return torch.randperm(count, generator=generator), torch.rand(count, generator=generator) < 0.5

    def _next_from_loader(self, number: int) -> Tensor:
        """Return the uint8 images (N, C, H, W) of batch `number`, which the workers prepare ahead of time.

        Raises:
            UserError: If an image cannot be read any more.
        """
        if self._loader is None or self._loader_position != number:
            self._loader, self._loader_position = self._start_loader(number), number
        self._loader_position += 1
        pixels = next(self._loader)
        if isinstance(pixels, UserError):
            raise pixels
        return pixels.to(self.device, non_blocking=True)

    def close(self) -> None:
        """End the worker processes; the next batch starts new processes.

        Without this call, the workers end when Python's garbage collector finds the loader, and this process then waits
        for some seconds.
        """
        self._loader, self._loader_position = None, -1

    def _start_loader(self, start: int) -> Iterator[Tensor | UserError]:
        loader: DataLoader[Tensor | UserError] = DataLoader(
            _BatchesByIndex(self.image_set),
            batch_size=None,
            sampler=_IndexBatches(self._shuffle, self._share, self.batches_per_epoch, start),
            num_workers=self.workers,
            generator=torch.Generator(),  # without it, a DataLoader draws from the global random state
            pin_memory=self.device.type == "cuda",
            prefetch_factor=4 if self.workers else None,
            worker_init_fn=_watch_parent if self.workers else None,
        )
        return iter(loader)


def _watch_parent(_: int) -> None:
    """End this worker process when the process of the training is killed.

    torch's own check compares the process id of the parent. If a fork server starts the workers, as by default in
    Python 3.14, the parent is the fork server, whose process id stays the same when the training is killed.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


class _BatchesByIndex(Dataset[Tensor | UserError]):
    """A dataset with whole batches as items: indices (N,) -> uint8 (N, C, H, W).

    A UserError is returned instead of raised, because torch would add the traceback of the worker to its message.
    """

    def __init__(self, image_set: ImageSet) -> None:
        self.image_set = image_set

    def __getitem__(self, indices: Tensor) -> Tensor | UserError:
        try:
            return self.image_set.batch(indices)
        except UserError as error:
            return error


class _IndexBatches:
    """An endless sampler that yields the indices (N,) of each batch, starting with batch number `start`."""

    def __init__(
        self,
        shuffle: Callable[[int], tuple[Tensor, Tensor]],
        share: Callable[[int], slice],
        batches_per_epoch: int,
        start: int,
    ) -> None:
        self.shuffle, self.share = shuffle, share
        self.batches_per_epoch, self.start = batches_per_epoch, start

    def __iter__(self) -> Iterator[Tensor]:
        epoch, first = divmod(self.start, self.batches_per_epoch)
        while True:
            order, _ = self.shuffle(epoch)
            for index in range(first, self.batches_per_epoch):
                yield order[self.share(index)]
            epoch, first = epoch + 1, 0
