"""The DCGAN with strided convolutions, compared with plain torch functions and published numbers of parameters."""

import pytest
import torch
from helpers.networks import (
    BATCH_NORMS,
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
    project_labels,
    randomise,
)
from torch import nn
from torch.nn import functional as F

from ganexp.models import dcgan_strided

conditional_or_not = pytest.mark.parametrize("classes", [0, CLASSES], ids=["plain", "conditional"])


def test_published_counts():
    generator = 100 * 1024 * 4 + (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3) * 16 + 2 * (1024 + 512 + 256 + 128)
    discriminator = (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) * 25 + 2 * (128 + 256 + 512) + 512 * 4 + 1
    assert count_parameters(dcgan_strided.Generator(100, 32, 3)) == generator == 11_429_632
    assert count_parameters(dcgan_strided.Discriminator(32, 3)) == discriminator == 4_309_441


@conditional_or_not
def test_generator_matches_reference(classes):
    network = randomise(dcgan_strided.Generator(5, 32, 3, classes, width=4))
    z = noise(5)
    x = torch.cat([z, CODES], 1) if classes else z
    first, *ups = layers_of(network, nn.ConvTranspose2d)
    x = conv_transpose(x[..., None, None], first)
    for norm, up in zip(layers_of(network, *BATCH_NORMS), ups, strict=True):
        x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        x = conv_transpose(F.relu(x), up, stride=2, padding=1)
    assert_agrees(network(z, labels_or_none(classes)), torch.tanh(x))


@conditional_or_not
def test_discriminator_matches_reference(classes):
    network = randomise(dcgan_strided.Discriminator(32, 3, classes, width=4))
    x = images = noise(3, 32, 32)
    norms = [None, *layers_of(network, *BATCH_NORMS)]
    for layer, norm in zip(layers_of(network, nn.Conv2d), norms, strict=True):
        x = F.leaky_relu(conv(x, layer, stride=2, padding=2), 0.2)
        if norm is not None:
            x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    features = x.flatten(1)
    logits = linear(features, network.head.linear).squeeze(1)
    if classes:
        logits = logits + project_labels(features, network.head.embedding.weight)
    assert_agrees(network(images, labels_or_none(classes)), logits)


def test_discriminator_gives_several_logits():
    network = dcgan_strided.Discriminator(16, 1, logits=2, width=4, norm="layer")
    assert network(torch.randn(3, 1, 16, 16)).shape == (3, 2)


@pytest.mark.parametrize(
    "network", [lambda: dcgan_strided.Generator(8, 28, 1), lambda: dcgan_strided.Discriminator(28, 1)]
)
def test_resolution_must_be_a_multiple_of_16(network):
    with pytest.raises(ValueError, match=r"data\.resolution=16"):
        network()


def test_instance_norm_needs_several_positions():
    with pytest.raises(ValueError, match=r"norm=instance: .* use norm=layer or 32x32 images"):
        dcgan_strided.Discriminator(16, 3, norm="instance")
    assert dcgan_strided.Discriminator(32, 3, norm="instance")(torch.rand(2, 3, 32, 32)).isfinite().all()
