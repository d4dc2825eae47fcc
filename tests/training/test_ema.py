"""The averaged generator, compared with the formula of the average."""

import torch
from torch import nn

from ganexp.training.ema import AveragedGenerator


def test_average_equals_the_weighted_sum_of_all_weights():
    network = nn.Linear(2, 1, bias=False)
    average = AveragedGenerator(network, decay=0.9, start=1)
    weights = [torch.full((1, 2), float(value)) for value in (1, 5, -3)]
    expected = weights[0]  # up to the start, the average equals the network
    for step, weight in enumerate(weights, start=1):
        with torch.no_grad():
            network.weight.copy_(weight)
        average.update(network, step)
        if step > 1:
            expected = 0.9 * expected + 0.1 * weight
        assert torch.allclose(average.network.weight, expected)
    assert not any(parameter.requires_grad for parameter in average.parameters())


def test_buffers_are_copied():
    network = nn.BatchNorm1d(3)
    average = AveragedGenerator(network, decay=0.9)
    network(torch.randn(4, 3))
    average.update(network, 5)
    for ours, theirs in zip(average.network.buffers(), network.buffers(), strict=True):
        assert torch.equal(ours, theirs)
