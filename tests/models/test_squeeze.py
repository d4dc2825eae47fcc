"""Squeeze-and-excitation layers, compared with plain torch functions, and their place in residual blocks."""

import torch
from helpers.networks import assert_agrees, linear, noise, randomise
from torch import nn
from torch.nn import functional as F

from ganexp.models import resnet
from ganexp.models.layer_factory import LayerFactory
from ganexp.models.squeeze import SqueezeExcitation, make_squeeze

PLAIN = LayerFactory("none", "default")


def reference(x, layer):
    factors = torch.sigmoid(linear(F.relu(linear(x.mean(3).mean(2), layer.reduce)), layer.expand))
    return torch.einsum("nchw,nc->nchw", x, factors)


def test_squeeze_matches_reference():
    layer, x = randomise(SqueezeExcitation(32, PLAIN)), noise(32, 3, 5)
    assert layer.reduce.out_features == 2
    assert_agrees(layer(x), reference(x, layer))


def test_squeeze_of_few_channels_has_one_hidden_feature():
    assert SqueezeExcitation(8, PLAIN).reduce.out_features == 1
    assert isinstance(make_squeeze(8, PLAIN, enabled=False), nn.Identity)


def test_residual_branches_are_squeezed_but_not_shortcuts():
    generator = randomise(resnet.Generator(5, 8, 1, [6, 4], squeeze=True))
    discriminator = randomise(resnet.Discriminator(8, 1, [4, 6], 2, spectral_norm="none", squeeze=True))
    for block, x in ((generator.blocks[0], noise(6, 4, 4)), (discriminator.blocks[1], noise(4, 4, 4))):
        squeezed = block(x)
        block.squeeze = nn.Identity()
        whole = block(x)
        block.squeeze.register_forward_hook(lambda layer, inputs, output: torch.zeros_like(output))
        shortcut = block(x)
        ratio = (squeezed - shortcut) / (whole - shortcut)  # average pooling in the block does not change this ratio
        assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio))  # one factor for each image and channel
        assert 0 < ratio.min() < ratio.max() < 1
    assert not any(isinstance(layer, SqueezeExcitation) for layer in discriminator.blocks[0].modules())


def test_squeeze_layers_have_the_spectral_norm_of_the_network():
    block = resnet.Discriminator(8, 1, [4, 6], 2, squeeze=True).blocks[1]
    assert hasattr(block.squeeze.reduce, "parametrizations")
