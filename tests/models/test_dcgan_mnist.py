"""The networks of "DCGAN on MNIST", compared with plain torch functions and published numbers of parameters."""

import pytest
import torch
from helpers.networks import (
    CLASSES,
    CODES,
    assert_agrees,
    batch_norm,
    conv,
    conv_transpose,
    count_parameters,
    labels_or_none,
    layers_of,
    linear,
    noise,
    project_labels,
    randomise,
)
from torch import nn
from torch.nn import functional as F

from ganexp.models import dcgan_mnist

conditional_or_not = pytest.mark.parametrize("classes", [0, CLASSES], ids=["plain", "conditional"])
either_mode = pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])


def test_published_counts():
    assert count_parameters(dcgan_mnist.Generator(100, 28, 1, affine=False)) == 6_738_689
    assert count_parameters(dcgan_mnist.Discriminator(28, 1)) == 1_812_737


@pytest.mark.parametrize("classes", [0, 5])
@pytest.mark.parametrize(("resolution", "channels"), [(28, 1), (32, 3)])
def test_shapes(resolution, channels, classes):
    labels = torch.arange(3) if classes else None
    images = dcgan_mnist.Generator(12, resolution, channels, classes)(torch.randn(3, 12), labels)
    assert images.shape == (3, channels, resolution, resolution)
    assert images.abs().max() <= 1
    assert dcgan_mnist.Discriminator(resolution, channels, classes)(images, labels).shape == (3,)
    assert dcgan_mnist.Discriminator(resolution, channels, logits=2)(images).shape == (3, 2)


@pytest.mark.parametrize("network", [lambda: dcgan_mnist.Generator(4, 30, 1), lambda: dcgan_mnist.Discriminator(30, 1)])
def test_resolution_must_be_a_multiple_of_4(network):
    with pytest.raises(ValueError, match=r"resolution=30 is not a multiple of 4: use data\.resolution=28"):
        network()


def test_same_padding_is_that_of_tensorflow():
    """For 5x5 kernels, stride 2 and even sides, TensorFlow's padding SAME adds 1 pixel before the image and 2 after it.

    With the same weights and this padding, the transposed layer is the adjoint of the convolution.
    """
    down, up = dcgan_mnist.SameConv2d(1, 1), dcgan_mnist.SameConvTranspose2d(1, 1)
    assert down(torch.zeros(1, 1, 28, 28)).shape[-1] == 14
    assert up(torch.zeros(1, 1, 14, 14)).shape[-1] == 28
    with torch.no_grad():
        up.weight.copy_(down.weight)
        down.bias.zero_()
        up.bias.zero_()
    x, y = torch.randn(1, 1, 28, 28), torch.randn(1, 1, 14, 14)
    assert torch.allclose((down(x) * y).sum(), (x * up(y)).sum(), rtol=1e-4, atol=1e-4)


@either_mode
@conditional_or_not
@pytest.mark.parametrize("batch_statistics_only", [False, True])
def test_generator_matches_reference(batch_statistics_only, classes, training):
    affine = not batch_statistics_only
    network = randomise(dcgan_mnist.Generator(5, 8, 2, classes, affine, batch_statistics_only), training)
    of_the_batch = training or batch_statistics_only
    (first, second), (up, out) = layers_of(network, nn.Linear), layers_of(network, nn.ConvTranspose2d)
    norm1, norm2, norm3 = layers_of(network, nn.BatchNorm1d, nn.BatchNorm2d)
    z = noise(5)
    h = linear(torch.cat([z, CODES], 1) if classes else z, first)
    h = F.relu(batch_norm(h, norm1, 1e-5, of_the_batch))
    assert h.shape[1] == 1024
    h = F.relu(batch_norm(linear(h, second), norm2, 1e-5, of_the_batch)).reshape(-1, 128, 2, 2)
    h = conv_transpose(h, up, stride=2, padding=1)[..., :-1, :-1]
    h = F.relu(batch_norm(h, norm3, 1e-5, of_the_batch))
    expected = torch.tanh(conv_transpose(h, out, stride=2, padding=1)[..., :-1, :-1])
    assert_agrees(network(z, labels_or_none(classes)), expected)


@conditional_or_not
@either_mode
def test_discriminator_matches_reference(classes, training):
    network = randomise(dcgan_mnist.Discriminator(8, 2, classes), training)
    (first, second), (dense, out) = layers_of(network, nn.Conv2d), layers_of(network, nn.Linear)
    images = noise(2, 8, 8)
    torch.manual_seed(1)
    logits = network(images, labels_or_none(classes))
    torch.manual_seed(1)
    h = images
    for layer in (first, second):
        h = F.leaky_relu(conv(F.pad(h, (1, 2, 1, 2)), layer, stride=2), 0.01)
    assert h.shape[1:] == (128, 2, 2)
    h = F.dropout(F.leaky_relu(linear(h.flatten(1), dense), 0.01), 0.5, training)
    expected = linear(h, out).squeeze(1)
    if classes:
        expected = expected + project_labels(h, network.head.embedding.weight)
    assert_agrees(logits, expected)
