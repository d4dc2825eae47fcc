"""A convolution with average pooling in one operation, compared with the two operations."""

import pytest
import torch
from helpers.networks import assert_agrees, counted_operations, gradients_of_both_orders, noise, randomise
from torch.nn import functional as F

from ganexp.models.layer_factory import LayerFactory
from ganexp.models.pooling import PooledConv2d


def reference(x, layer):
    convolved = F.conv2d(x, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)
    rows, columns = (side // 2 * 2 for side in x.shape[2:])  # pooling leaves out the last row or column of an odd side
    h = convolved[..., :rows, :columns]
    return (h[..., ::2, ::2] + h[..., 1::2, ::2] + h[..., ::2, 1::2] + h[..., 1::2, 1::2]) / 4


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("sides", [(6, 4), (5, 7), (2, 2)])
def test_pooled_convolution_matches_reference(kernel, sides):
    layer, x = randomise(PooledConv2d(3, 4, kernel)), noise(3, *sides)
    assert_agrees(layer(x), reference(x, layer))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_gradients_of_pooled_convolution_match_reference(memory_format):
    layer = randomise(PooledConv2d(3, 4)).to(memory_format=memory_format)
    x = noise(3, 6, 6).to(memory_format=memory_format).requires_grad_()
    ours, theirs = (gradients_of_both_orders(y, x, layer) for y in (layer(x), reference(x, layer)))
    for gradient, expected in zip(ours, theirs, strict=True):
        assert_agrees(gradient, expected)


def test_pooled_convolution_takes_four_ninths_of_the_operations():
    layer, x = PooledConv2d(3, 4), noise(3, 6, 6).float()
    expected = counted_operations(lambda: reference(x, layer))
    assert counted_operations(lambda: layer(x)) == pytest.approx(4 / 9 * expected)


def test_normalised_weight_is_pooled():
    layer = LayerFactory("persistent", "xavier").prepare(PooledConv2d(3, 4)).double().eval()
    x, original = noise(3, 6, 6), layer.parametrizations.weight.original
    assert not torch.allclose(layer.weight, original)
    assert_agrees(layer(x), reference(x, layer))
