"""Schedules of learning rates."""

import pytest
import torch

from ganexp.training.schedules import LinearDecay, batch_size_scale, make_schedulers


def test_linear_decay_factor():
    decay = LinearDecay(start=0.5, end=0.1)
    assert [decay(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 1.0, 0.1])
    assert decay(0.75) == pytest.approx(0.55)
    assert LinearDecay()(0.25) == pytest.approx(0.75)


def test_schedulers_multiply_the_first_rate_of_each_group():
    optimizer = torch.optim.SGD([{"params": [torch.zeros(1)], "lr": 0.5}, {"params": [torch.ones(1)]}], lr=0.1)
    progress = 0.0
    (config,) = make_schedulers({"generator": optimizer}, LinearDecay(end=0.5), lambda: progress)
    for step in range(1, 9):
        progress = step / 8
        optimizer.step()
        config["scheduler"].step()
        factor = 1 - 0.5 * step / 8
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(
            [0.5 * factor, 0.1 * factor], abs=1e-15
        )


def test_there_are_no_schedulers_without_a_decay():
    assert make_schedulers({"generator": torch.optim.SGD([torch.zeros(1)])}, None, lambda: 0.0) == []


def test_batch_size_scale_is_linear():
    assert batch_size_scale(64, 256) == 0.25
    assert batch_size_scale(64, None) == 1
