"""The layers that double the height and width of feature maps."""

import pytest
import torch
from helpers.networks import assert_agrees, assert_equal_gradients, noise, randomise, share_of_operations
from torch import nn
from torch.nn import functional as F

from ganexp.models import dcgan, dcgan_mnist, dcgan_strided, sngan_cnn
from ganexp.models.upsampling import NearestConv2d, make_upsampling


def reference(x, layer):
    larger = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return F.conv2d(larger, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("sides", [(5, 6), (1, 1)])
def test_nearest_matches_reference(kernel, sides, bias):
    layer, x = randomise(NearestConv2d(3, 4, kernel, bias)), noise(3, *sides)
    assert_agrees(layer(x), reference(x, layer))


def test_gradients_of_nearest_match_reference():
    assert_equal_gradients(NearestConv2d(3, 4), reference)


def test_nearest_takes_four_ninths_of_the_operations():
    assert share_of_operations(NearestConv2d(3, 4), reference) == pytest.approx(4 / 9)


def test_nearest_has_no_checkerboard_of_a_constant_map():
    """Away from the borders, nearest-neighbour upsampling gives equal pixels; a transposed convolution does not."""
    x = torch.ones(1, 3, 6, 6)
    for kind, is_constant in (("nearest", True), ("transposed", False)):
        inner = make_upsampling(kind, 3, 4)(x)[..., 2:-2, 2:-2]
        assert torch.allclose(inner, inner[..., :1, :1].expand_as(inner), atol=1e-6) == is_constant


@pytest.mark.parametrize(
    ("module", "transposed"),
    # The transposed convolution that is left in dcgan_strided makes the first feature map from z.
    [(dcgan, 0), (sngan_cnn, 0), (dcgan_mnist, 0), (dcgan_strided, 1)],
)
def test_generators_upsample_with_nearest_neighbours(module, transposed):
    width = {} if module is dcgan_mnist else {"width": 4}
    generator = module.Generator(5, 16, 3, upsample="nearest", **width)
    assert generator(torch.randn(2, 5)).shape == (2, 3, 16, 16)
    assert sum(isinstance(layer, nn.ConvTranspose2d) for layer in generator.modules()) == transposed
    assert any(isinstance(layer, NearestConv2d) for layer in generator.modules())
