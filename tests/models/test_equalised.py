"""Layers with an equalised learning rate: weights from N(0, 1), and the factor of He et al. in every forward pass."""

import pytest
import torch
from torch.nn import functional as F

from ganexp.models.equalised import EqualisedConv2d, EqualisedLinear, EqualisedNearestConv2d


def test_convolution_scales_its_input_and_not_its_bias():
    torch.manual_seed(0)
    layer = EqualisedConv2d(3, 5, 3, padding=1).double()
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 4, 4, dtype=torch.double)
    expected = F.conv2d(x * (2 / (3 * 3 * 3)) ** 0.5, layer.weight, layer.bias, padding=1)
    assert torch.allclose(layer(x), expected, rtol=1e-10)


def test_convolution_of_enlarged_map_scales_its_input_and_not_its_bias():
    torch.manual_seed(0)
    layer = EqualisedNearestConv2d(3, 5, 3).double()
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 4, 4, dtype=torch.double)
    larger = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = F.conv2d(larger * (2 / (3 * 3 * 3)) ** 0.5, layer.weight, layer.bias, padding=1)
    assert torch.allclose(layer(x), expected, rtol=1e-10)


def test_linear_scales_its_input_and_not_its_bias():
    torch.manual_seed(0)
    layer = EqualisedLinear(7, 2).double()
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(3, 7, dtype=torch.double)
    expected = (x * (2 / 7) ** 0.5) @ layer.weight.T + layer.bias
    assert torch.allclose(layer(x), expected, rtol=1e-10)


@pytest.mark.parametrize("layer", [lambda: EqualisedConv2d(30, 40, 3), lambda: EqualisedLinear(100, 100)])
def test_weights_are_unit_normal_and_biases_zero(layer):
    torch.manual_seed(0)
    layer = layer()
    assert layer.weight.std().item() == pytest.approx(1, abs=0.03)
    assert layer.weight.mean().item() == pytest.approx(0, abs=0.03)
    assert layer.weight.abs().max() > 2.5
    assert not layer.bias.any()


def test_adam_changes_all_weights_equally_fast():
    """The first update of Adam changes each weight by the learning rate, whatever the number of inputs."""
    torch.manual_seed(0)
    for inputs in (2, 200):
        layer = EqualisedLinear(inputs, 1)
        before = layer.weight.detach().clone()
        adam = torch.optim.Adam(layer.parameters(), 0.01)
        layer(torch.randn(4, inputs)).sum().backward()
        adam.step()
        assert torch.allclose((layer.weight - before).abs(), torch.full_like(before, 0.01), rtol=1e-3)
