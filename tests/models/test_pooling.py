"""A convolution with average pooling in one operation, compared with the two operations."""

import pytest
import torch
from helpers.networks import assert_agrees, assert_equal_gradients, noise, randomise, share_of_operations
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


def test_gradients_of_pooled_convolution_match_reference():
    assert_equal_gradients(PooledConv2d(3, 4), reference)


def test_pooled_convolution_takes_four_ninths_of_the_operations():
    assert share_of_operations(PooledConv2d(3, 4), reference) == pytest.approx(4 / 9)


def test_normalised_weight_is_pooled():
    layer = LayerFactory("persistent", "xavier").prepare(PooledConv2d(3, 4)).double().eval()
    x, original = noise(3, 6, 6), layer.parametrizations.weight.original
    assert not torch.allclose(layer.weight, original)
    assert_agrees(layer(x), reference(x, layer))
