"""BEGAN's auto-encoder, compared with plain torch functions and with a parameter count made by hand."""

import pytest
import torch
from helpers.networks import (
    CLASSES,
    CODES,
    assert_agrees,
    conv,
    conv_transpose,
    count_parameters,
    labels_or_none,
    layers_of,
    linear,
    noise,
    randomise,
)
from torch import nn
from torch.nn import functional as F

from ganexp.models.autoencoder import Discriminator


def test_count_is_that_of_the_layers():
    """The parameters are counted by hand for images of 32x32 pixels.

    Each triple below contains the input channels, the output channels and the kernel area of a layer.
    """
    convolutions = [(3, 64, 9), (64, 128, 16), (128, 256, 16), (256, 512, 16)]
    transposed = [(512, 256, 16), (256, 128, 16), (128, 64, 16), (64, 3, 9)]
    linears = [(8192, 128, 1), (128, 8192, 1)]
    count = sum(inputs * outputs * area + outputs for inputs, outputs, area in convolutions + linears + transposed)
    assert count_parameters(Discriminator(32, 3)) == count == 7_615_363


@pytest.mark.parametrize("classes", [0, CLASSES])
def test_output_is_the_mean_absolute_error_of_the_reconstruction(classes):
    network = randomise(Discriminator(16, 3, width=4, code=6, num_classes=classes))
    images = noise(3, 16, 16)
    encode, decode = layers_of(network, nn.Linear)
    first, *downs, last = layers_of(network, nn.Conv2d)
    h = F.leaky_relu(conv(images, first, padding=1), 0.2)
    for layer in downs:
        h = F.leaky_relu(conv(h, layer, stride=2, padding=1), 0.2)
    code = F.leaky_relu(linear(h.flatten(1), encode), 0.2)
    code = torch.cat([code, CODES], 1) if classes else code
    h = F.leaky_relu(linear(code, decode), 0.2).reshape(-1, 16, 4, 4)
    for layer in layers_of(network, nn.ConvTranspose2d):
        h = F.leaky_relu(conv_transpose(h, layer, stride=2, padding=1), 0.2)
    reconstruction = torch.tanh(conv(h, last, padding=1))
    labels = labels_or_none(classes)
    assert_agrees(network.reconstruct(images, labels), reconstruction)
    assert torch.allclose(network(images, labels), (reconstruction - images).abs().flatten(1).mean(1))


@pytest.mark.parametrize(("resolution", "channels"), [(8, 1), (28, 1), (48, 3)])
def test_reconstructions_have_the_shape_of_the_images(resolution, channels):
    images = torch.randn(2, channels, resolution, resolution)
    network = Discriminator(resolution, channels, width=4)
    assert network.reconstruct(images).shape == images.shape
    assert network(images).shape == (2,)
