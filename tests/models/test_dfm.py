"""The networks of denoising feature matching, compared with plain torch functions and with counts of parameters."""

import pytest
import torch
from helpers.networks import (
    BATCH_NORMS,
    CLASSES,
    WEIGHTED,
    assert_agrees,
    batch_norm,
    conv,
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

from ganexp.models.dfm import Denoiser, Discriminator

EPS = 1e-5
either_mode = pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])


def test_counts_are_those_of_the_layers():
    """The parameters are counted by hand for images of 32x32 pixels; the discriminator's last norm has no scale."""
    convolutions = [(3, 32, 9), (32, 64, 16), (64, 128, 16), (128, 256, 16), (256, 512, 16)]
    of_convolutions = sum(inputs * outputs * area + outputs for inputs, outputs, area in convolutions)
    of_norms = 2 * (64 + 128 + 256) + 512
    assert count_parameters(Discriminator(32, 3)) == of_convolutions + of_norms + 2048 + 1 == 2_790_593
    assert count_parameters(Denoiser(2048)) == 10 * (2048 * 2048 + 2048) + 9 * 2 * 2048 == 42_000_384


@either_mode
@pytest.mark.parametrize("classes", [0, CLASSES])
def test_discriminator_matches_reference(classes, training):
    network = randomise(Discriminator(16, 3, width=4, num_classes=classes), training)
    first, *downs = layers_of(network, nn.Conv2d)
    norms = layers_of(network, nn.BatchNorm2d)
    assert [isinstance(norm.weight, nn.Parameter) for norm in norms] == [True, True, False]
    images = noise(3, 16, 16)
    h = F.leaky_relu(conv(images, first, padding=1), 0.2)
    for layer, norm in zip(downs, norms, strict=True):
        h = batch_norm(conv(h, layer, stride=2, padding=1), norm, EPS, training)
        features, h = h.flatten(1), F.leaky_relu(h, 0.2)
    logits = linear(h.flatten(1), network.head.linear).squeeze(1)
    if classes:
        logits = logits + project_labels(h.flatten(1), network.head.embedding.weight)
    assert_agrees(network(images, labels_or_none(classes)), logits)
    assert_agrees(network.features(images), features)
    assert features.shape[1] == network.feature_dim == 4 * 32


@either_mode
def test_denoiser_matches_reference(training):
    network = randomise(Denoiser(6, layers=3), training)
    h = features = noise(6)
    layers, norms = layers_of(network, nn.Linear), layers_of(network, *BATCH_NORMS)
    for layer, norm in zip(layers[:-1], norms, strict=True):
        h = F.leaky_relu(batch_norm(linear(h, layer), norm, EPS, training), 0.2)
    assert_agrees(network(features), linear(h, layers[-1]))


@pytest.mark.parametrize(("resolution", "features"), [(8, 16 * 4), (28, 32 * 9), (48, 64 * 9)])
def test_last_map_has_half_the_side_of_the_base(resolution, features):
    network = Discriminator(resolution, 1, width=4)
    assert network.features(torch.randn(2, 1, resolution, resolution)).shape == (2, features)


def test_initial_weights_are_normal_with_the_published_deviations():
    torch.manual_seed(0)
    for layer in layers_of(Discriminator(16, 3, width=16), *WEIGHTED):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
    for layer in layers_of(Denoiser(100), nn.Linear):
        assert layer.weight.std().item() == pytest.approx(0.1, rel=0.05)
        assert not layer.bias.any()
