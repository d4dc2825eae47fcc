"""A LightningDataModule with the training stream and the indices of the validation samples."""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import distributed
from torch.utils.data import DataLoader, Dataset

from ganexp.data.stream import ImageStream


class StreamData(pl.LightningDataModule):
    """Pass batches without images to Lightning, and save the position of the stream in Lightning's checkpoints.

    The real images do not pass through Lightning. The GAN takes its batches directly from `stream`.

    Args:
        stream: The stream of real batches; None if there are validations but no training.
        validation_indices: Number of samples in a validation.
        validation_batch_size: Number of samples in a batch of a validation.
        keeps_batches: Whether several processes share whole batches of this size. Otherwise, the batches may be
            smaller, so that each process gets an equal share of the samples.
    """

    def __init__(
        self,
        stream: ImageStream | None,
        validation_indices: int = 0,
        validation_batch_size: int = 500,
        keeps_batches: bool = False,
    ) -> None:
        super().__init__()
        self._stream = stream
        self.validation_indices, self.validation_batch_size = validation_indices, validation_batch_size
        self.keeps_batches = keeps_batches

    @property
    def stream(self) -> ImageStream:
        """The stream of real batches for the training."""
        assert self._stream is not None
        return self._stream

    def train_dataloader(self) -> Iterable[int]:
        """Return endless zeros, because the GAN takes its batches from the stream and ends epochs itself."""
        return repeat(0)

    def val_dataloader(self) -> DataLoader:
        """Return the indices 0, 1, … of the samples as batches of shape (≤ validation_batch_size,), int64.

        There is at least one batch, because Lightning runs the hooks of a validation only if there are data. If
        several processes train together, each process gets its share of the batches.
        """
        indices, size = max(self.validation_indices, 1), self.validation_batch_size
        if distributed.is_initialized():
            return _loader(self._share(indices), None)
        return _loader(range(indices), size)

    def _share(self, count: int) -> list[torch.Tensor]:
        """Return this process's batches of indices; one empty batch if there are too few indices for all processes."""
        rank, processes = distributed.get_rank(), distributed.get_world_size()
        size = self.validation_batch_size
        if not self.keeps_batches:
            size = min(size, max(count // processes, 1))  # rounded down, so that every process gets a batch
        batches = torch.arange(count).split(size)
        return list(batches[rank::processes]) or [torch.arange(0)]

    def state_dict(self) -> dict[str, int]:
        """Return the number of the next batch of the stream."""
        return {"position": self.stream.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue the stream at the batch number in `state`."""
        self.stream.position = state["position"]


def _loader(items: Sequence[Any], batch_size: int | None) -> DataLoader:
    dataset = cast(Dataset[Any], items)  # any sequence can be used as a dataset
    own_generator = torch.Generator()  # without it, a DataLoader draws from the global random state
    return DataLoader(dataset, batch_size=batch_size, generator=own_generator)
