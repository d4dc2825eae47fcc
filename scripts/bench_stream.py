"""Compare how fast ganexp's stream and torch's DataLoader deliver images; the two take turns in one process."""

import statistics
from collections.abc import Iterator
from typing import Any

import torch
from bench_cases import compose_case, machine, spread
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganexp import build
from ganexp.commands.estimation.timing import clock
from ganexp.data.images import ImageSet
from ganexp.pixels import PixelRange, from_uint8

CASE = ("data.source.size=5000", "model=dcgan", "loss=non_saturating", "schedule.batch_size=64", "data.flip=true")


class OneByOne(Dataset[Tensor]):
    """A dataset for torch's DataLoader; each image is mirrored at random and scaled as in ganexp's stream.

    Args:
        image_set: the images.
        flip: whether to mirror an image with probability ½.
        pixel_range: the range of the pixel values, `symmetric` or `unit`.
    """

    def __init__(self, image_set: ImageSet, flip: bool, pixel_range: PixelRange) -> None:
        self.image_set, self.flip, self.pixel_range = image_set, flip, pixel_range

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.image_set)

    def __getitem__(self, index: int) -> Tensor:
        """Return an image, float32 (C, H, W)."""
        image = from_uint8(self.image_set.batch(torch.tensor([index]))[0], self.pixel_range)
        return image.flip(-1) if self.flip and torch.rand(()) < 0.5 else image


def endless(loader: DataLoader[Tensor], device: torch.device) -> Iterator[Tensor]:
    """Yield the batches of a loader on a device, one epoch after another."""
    while True:
        for images in loader:
            yield images.to(device, non_blocking=True)


def images_per_second(batches: Iterator[Any], batch_size: int, seconds: float, device: torch.device) -> float:
    """Return how many images per second `batches` yields, measured for at least `seconds` seconds."""
    started, count = clock(device), 0
    while True:
        next(batches)
        count += batch_size
        if (elapsed := clock(device) - started) >= seconds:
            return count / elapsed


def stream(device: torch.device, rounds: int, seconds: float, overrides: list[str]) -> None:
    """Print the images per second of ganexp's stream and of torch's DataLoader, and the ratio of the two.

    Args:
        device: the device to which batches are moved.
        rounds: number of timed rounds, after one round to warm up.
        seconds: shortest time for which the stream and the DataLoader are each measured in a round.
        overrides: further overrides of ganexp, for example `data.in_memory=false data.workers=4`.
    """
    cfg = compose_case([*CASE, *overrides])
    image_set = build.build_image_set(cfg)
    if image_set is None:
        raise SystemExit("the dataset has no split to train on")
    ours = build.build_stream(cfg, image_set, device)
    workers, batch_size = cfg.data.workers, cfg.schedule.batch_size
    loader = DataLoader(
        OneByOne(image_set, cfg.data.flip, cfg.data.range),
        batch_size,
        shuffle=True,
        num_workers=workers,
        drop_last=True,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
    )
    theirs = endless(loader, device)
    rates: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        rates.append(
            (
                images_per_second(ours, batch_size, seconds, device),
                images_per_second(theirs, batch_size, seconds, device),
            )
        )
    ours.close()
    rates = rates[1:]  # in the first round, both sides warm up
    ratios = [a / b for a, b in rates]
    print(f"{machine(device)}; batch {batch_size}, {workers} workers of the loader; {rounds} rounds")
    print(f"stream: median {statistics.median(a for a, _ in rates):,.0f} images/s")
    print(f"torch's DataLoader: median {statistics.median(b for _, b in rates):,.0f} images/s")
    print(f"rate of the stream / rate of the DataLoader: {spread(ratios)}")
