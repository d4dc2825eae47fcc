"""The benchmarks that time the stream of real images, and training on two devices."""

from itertools import count, islice

import pytest
import torch
from bench_cases import compose_case
from bench_processes import seconds_a_step
from bench_stream import CASE, OneByOne, endless, images_per_second
from helpers.config import config
from torch.utils.data import DataLoader

from ganexp import build

CPU = torch.device("cpu")


def test_loader_has_the_images_of_the_stream():
    cfg = config("data=fake", "data.source.size=24", "data.resolution=4", "schedule.batch_size=8")
    image_set = build.build_image_set(cfg)
    stream = build.build_stream(cfg, image_set, CPU)
    ours = torch.cat([batch.images for batch in islice(stream, 3)])
    loader = DataLoader(OneByOne(image_set, False, "symmetric"), 8, shuffle=True)
    theirs = torch.cat(list(islice(endless(loader, CPU), 3)))
    assert torch.equal(ours.flatten(1).unique(dim=0), theirs.flatten(1).unique(dim=0))
    flipped = torch.stack(list(OneByOne(image_set, True, "symmetric")))
    straight = torch.stack(list(OneByOne(image_set, False, "symmetric")))
    is_mirrored = [torch.equal(a.flip(-1), b) for a, b in zip(flipped, straight, strict=True)]
    assert 0 < sum(is_mirrored) < 24


@pytest.mark.parametrize(
    ("overrides", "images"), [((), 5000), (("data.source.size=40",), 40), (("data=digits", "data.flip=false"), 1438)]
)
def test_stream_of_any_dataset_can_be_timed(overrides, images):
    assert len(build.build_image_set(compose_case([*CASE, *overrides]))) == images


def test_images_per_second_counts_whole_batches(monkeypatch):
    times = count(0, 0.4)
    monkeypatch.setattr("bench_stream.clock", lambda device: next(times))
    assert images_per_second(count(), 10, 1.0, CPU) == pytest.approx(30 / 1.2)


def test_seconds_a_step_leave_out_the_start():
    points = [{"step": 0, "axis/seconds": 0.0}]
    points += [{"step": step, "axis/seconds": 5 + step / 2, "loss/generator": 1.0} for step in (10, 20, 30)]
    assert seconds_a_step(points) == 0.5
