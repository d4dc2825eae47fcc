"""Schedules of learning rates."""

import pytest
import torch

from ganexp.training.schedules import LinearDecay, batch_size_scale, set_learning_rates


def test_linear_decay_factor():
    decay = LinearDecay(start=0.5, end=0.1)
    assert [decay(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 1.0, 0.1])
    assert decay(0.75) == pytest.approx(0.55)
    assert LinearDecay()(0.25) == pytest.approx(0.75)


def test_set_learning_rates_is_relative_to_the_first_rate():
    optimizer = torch.optim.SGD([{"params": [torch.zeros(1)], "lr": 0.5}, {"params": [torch.ones(1)]}], lr=0.1)
    for factor in (0.5, 0.25):
        set_learning_rates([optimizer], factor)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.5 * factor, 0.1 * factor])


def test_batch_size_scale_is_linear():
    assert batch_size_scale(64, 256) == 0.25
    assert batch_size_scale(64, None) == 1
