"""Instance noise: its standard deviation over the run and in checkpoints, and gradients through the noise."""

import pytest
import torch
from helpers.bench import Bench

from ganexp.augment.instance_noise import InstanceNoise


@pytest.mark.parametrize(
    ("end", "progress", "expected"), [(1.0, 0.25, 0.15), (0.5, 0.25, 0.1), (0.5, 0.75, 0.0), (0.0, 0.9, 0.2)]
)
def test_noise_decreases_linearly_to_its_end(end, progress, expected):
    noise = InstanceNoise(std=0.2, end=end)
    noise.set_progress(progress)
    images = torch.ones(100, 1, 20, 20)
    difference = noise(images) - images
    assert difference.std().item() == pytest.approx(expected, rel=0.02, abs=1e-7)
    assert difference.mean().item() == pytest.approx(0, abs=0.01)


def test_noise_follows_the_run_and_is_in_checkpoints():
    bench = Bench("augment=instance_noise", "schedule.steps=4")
    bench.step(3)  # the third step begins at one half of the run
    (name,) = [name for name in bench.gan.state_dict() if "deviation" in name]
    assert bench.gan.state_dict()[name].item() == pytest.approx(0.05)


def test_noise_lets_gradients_through():
    images = torch.zeros(2, 1, 4, 4, requires_grad=True)
    InstanceNoise(0.1)(images).sum().backward()
    assert torch.equal(images.grad, torch.ones_like(images))
