"""SNGAN's plain convolutional networks, compared with plain torch functions and published numbers of parameters."""

import pytest
import torch
from helpers.networks import (
    CLASSES,
    assert_agrees,
    conditional_norm,
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

from ganexp.models import sngan_cnn

conditional_or_not = pytest.mark.parametrize("classes", [0, CLASSES], ids=["plain", "conditional"])
either_mode = pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])


def test_published_counts():
    assert count_parameters(sngan_cnn.Generator(128, 32, 3)) == 3_812_355
    assert count_parameters(sngan_cnn.Discriminator(32, 3, spectral_norm_output=False)) == 2_935_873


@pytest.mark.parametrize("classes", [0, 5])
@pytest.mark.parametrize(("resolution", "channels"), [(8, 1), (48, 3)])
def test_shapes(resolution, channels, classes):
    labels = torch.arange(3) if classes else None
    images = sngan_cnn.Generator(12, resolution, channels, classes, width=4)(torch.randn(3, 12), labels)
    assert images.shape == (3, channels, resolution, resolution)
    assert images.abs().max() <= 1
    assert sngan_cnn.Discriminator(resolution, channels, classes, width=4)(images, labels).shape == (3,)
    assert sngan_cnn.Discriminator(resolution, channels, logits=2, width=4)(images).shape == (3, 2)


def test_discriminator_bounds_every_layer():
    network = sngan_cnn.Discriminator(16, 1, num_classes=3, width=4)
    images = torch.randn(2, 1, 16, 16)
    for _ in range(60):
        network(images, torch.tensor([0, 1]))
    weights = [layer.weight for layer in network.modules() if hasattr(layer, "parametrizations")]
    assert len(weights) == 9
    assert all(torch.linalg.matrix_norm(weight.flatten(1), 2) < 1.05 for weight in weights)


def test_labels_change_the_logit():
    network, images = sngan_cnn.Discriminator(16, 1, num_classes=3, width=4).eval(), torch.randn(2, 1, 16, 16)
    assert not torch.allclose(network(images, torch.tensor([0, 1])), network(images, torch.tensor([1, 0])))


def test_discriminator_refuses_labels_with_several_logits():
    with pytest.raises(ValueError, match="one logit"):
        sngan_cnn.Discriminator(16, 1, num_classes=3, logits=2)


@pytest.mark.parametrize("network", [lambda: sngan_cnn.Generator(8, 28, 1), lambda: sngan_cnn.Discriminator(28, 1)])
def test_resolution_must_be_a_multiple_of_8(network):
    with pytest.raises(ValueError, match=r"data\.resolution=24"):
        network()


@conditional_or_not
@either_mode
def test_generator_matches_reference(classes, training):
    network = randomise(sngan_cnn.Generator(5, 16, 3, classes, width=4), training)
    z = noise(5)
    h = linear(z, network.project).reshape(-1, 32, 2, 2)  # neither norm nor ReLU follows
    for up, norm in zip(network.ups, network.norms, strict=True):
        h = F.relu(conditional_norm(conv_transpose(h, up, stride=2, padding=1), norm, training))
    assert_agrees(network(z, labels_or_none(classes)), torch.tanh(conv(h, network.out, padding=1)))


@conditional_or_not
def test_discriminator_matches_reference(classes):
    network = randomise(sngan_cnn.Discriminator(16, 3, classes, width=4, spectral_norm="none"))
    images = noise(3, 16, 16)
    h = images
    for index, layer in enumerate(layers_of(network, nn.Conv2d)):
        h = F.leaky_relu(conv(h, layer, stride=2 if index % 2 else 1, padding=1), 0.1)
        assert layer.kernel_size[0] == (4 if index % 2 else 3)
    features = h.flatten(1)
    logits = linear(features, network.head.linear).squeeze(1)
    if classes:
        logits = logits + project_labels(features, network.head.embedding.weight.T)
    assert_agrees(network(images, labels_or_none(classes)), logits)
