"""Fully connected networks, compared with plain torch functions and published numbers of parameters."""

import pytest
import torch
from helpers.networks import (
    CLASSES,
    LABELS,
    assert_agrees,
    batch_norm,
    count_parameters,
    labels_or_none,
    layers_of,
    linear,
    noise,
    randomise,
)
from torch import nn
from torch.nn import functional as F

from ganexp.models import mlp

TEXTBOOK = [128, 128, 128]

conditional_or_not = pytest.mark.parametrize("classes", [0, CLASSES], ids=["plain", "conditional"])
either_mode = pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])


@pytest.mark.parametrize(
    ("network", "published"),
    [
        (lambda: mlp.Generator(100, 28, 1, [256, 256]), 294_160),
        (lambda: mlp.Discriminator(28, 1, TEXTBOOK, logits=2), 133_762),
        (lambda: mlp.Generator(100, 28, 1, TEXTBOOK), 147_856),
        (lambda: mlp.Discriminator(28, 1, TEXTBOOK), 133_633),
        (lambda: mlp.Generator(100, 28, 1, TEXTBOOK, num_classes=10), 156_816),
        (lambda: mlp.Discriminator(28, 1, TEXTBOOK, num_classes=10), 142_465),
    ],
    ids=["gan G", "gan D", "wgan_gp G", "wgan_gp D", "cgan G", "cgan D"],
)
def test_published_counts(network, published):
    assert count_parameters(network()) == published


@pytest.mark.parametrize("classes", [0, 5])
@pytest.mark.parametrize(("resolution", "channels", "hidden"), [(8, 1, [16, 16]), (11, 3, [16, 8, 12]), (8, 1, [16])])
def test_shapes(resolution, channels, hidden, classes):
    labels = torch.arange(3) if classes else None
    images = mlp.Generator(12, resolution, channels, hidden, classes)(torch.randn(3, 12), labels)
    assert images.shape == (3, channels, resolution, resolution)
    assert images.abs().max() <= 1
    assert mlp.Discriminator(resolution, channels, hidden, classes)(images, labels).shape == (3,)
    assert mlp.Discriminator(resolution, channels, hidden, classes, logits=2)(images, labels).shape == (3, 2)


def test_labels_change_the_logit():
    network, images = mlp.Discriminator(8, 1, [16, 16], 5).eval(), torch.randn(2, 1, 8, 8)
    assert not torch.allclose(network(images, torch.tensor([0, 0])), network(images, torch.tensor([1, 1])))


def test_embedding_passes_the_first_activation():
    network = mlp.Discriminator(2, 1, [3, 4], num_classes=2, embedding_dim=2, slope=0.5)
    x, label = torch.randn(1, 1, 2, 2), torch.tensor([1])
    trunk = network.body
    joined = torch.cat([trunk.first(x.flatten(1)), trunk.embedding(label)], 1)
    activated = torch.where(joined > 0, joined, 0.5 * joined)
    second = trunk.rest[2](activated)
    expected = network.out(torch.where(second > 0, second, 0.5 * second)).squeeze(1)
    assert torch.allclose(network(x, label), expected)


@conditional_or_not
@either_mode
@pytest.mark.parametrize("norm", ["none", "batch", "inert"])
def test_generator_matches_reference(norm, classes, training):
    network = randomise(mlp.Generator(5, 4, 2, [8, 6, 7], classes, norm), training)
    first, *rest, out = layers_of(network, nn.Linear)
    norms = [None] * 3 if norm == "none" else layers_of(network, nn.BatchNorm1d)
    z = noise(5)
    h = linear(z, first)
    if classes:
        h = torch.cat([h, network.body.embedding.weight[LABELS]], 1)
    for dense, layer in zip([*rest, None], norms, strict=True):
        h = F.leaky_relu(h, 0.3)
        if norm == "batch":
            h = batch_norm(h, layer, 1e-3, training)
        if norm == "inert":  # Keras' initial statistics: mean 0 and variance 1
            h = h / 1.001**0.5 * layer.weight + layer.bias
        h = linear(h, dense) if dense else h
    assert_agrees(network(z, labels_or_none(classes)), torch.tanh(linear(h, out)).reshape(-1, 2, 4, 4))


@conditional_or_not
@either_mode
def test_discriminator_matches_reference(classes, training):
    network = randomise(mlp.Discriminator(4, 2, [8, 6, 7], classes, dropout=0.5), training)
    first, *rest, out = layers_of(network, nn.Linear)
    images = noise(2, 4, 4)
    torch.manual_seed(1)
    logits = network(images, labels_or_none(classes))
    torch.manual_seed(1)
    h = linear(images.reshape(-1, 32), first)
    if classes:
        h = torch.cat([h, network.body.embedding.weight[LABELS]], 1)
    for dense in (*rest, out):
        h = linear(F.dropout(F.leaky_relu(h, 0.3), 0.5, training), dense)
    assert_agrees(logits, h.squeeze(1))
