"""The steps that an estimate times, and the operations that it counts in them."""

import pytest
import torch
from helpers.bench import BASE, MLP
from helpers.config import config

from ganexp import build
from ganexp.commands.estimation import steps
from ganexp.runs.run_directory import RunDirectory

CYCLES = (1, 2, 3, 5)


def stopwatch_of(cycle, path):
    """Return the stopwatch of a training in which every `cycle`-th step updates the discriminator."""
    cfg = config(*BASE, *MLP, f"schedule.updates.n_gen={cycle}")
    gan = build.build_gan(cfg)
    stream = build.build_stream(cfg, build.build_image_set(cfg), torch.device("cpu"))
    gan.connect(stream)
    return steps.time_steps(cfg, gan, stream, RunDirectory(path))[0]


def test_operations_and_seconds_are_means_over_whole_cycles(tmp_path):
    stopwatches = {cycle: stopwatch_of(cycle, tmp_path / str(cycle)) for cycle in CYCLES}
    discriminator = 2 * (stopwatches[1].flops - stopwatches[2].flops)
    generator = stopwatches[1].flops - discriminator
    assert discriminator > 0 < generator
    for cycle, stopwatch in stopwatches.items():
        assert stopwatch.flops == pytest.approx(generator + discriminator / cycle)
        made = len(stopwatch.times)
        for ended in (made, made - 1, 2 * cycle):  # all steps, or fewer because they are slow
            seconds = [8.0 if step % cycle == 0 else 1.0 for step in range(1, ended + 1)]
            stopwatch.times = torch.tensor(seconds).cumsum(0).tolist()
            assert stopwatch.seconds_a_step() == (8 + cycle - 1) / cycle


def test_slow_steps_are_timed_until_the_operations_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "MAX_TIMING_SECONDS", -1)
    stopwatch = stopwatch_of(3, tmp_path / "run")
    assert len(stopwatch.times) == 6
    assert stopwatch.flops > 0
