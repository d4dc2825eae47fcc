"""The classifier whose features and class logits are used to score generated images."""

import pytest
import torch
from helpers.networks import assert_agrees, batch_norm, conv, layers_of, linear, noise, randomise
from torch import nn
from torch.nn import functional as F

from ganexp.models.classifier import Classifier


@pytest.mark.parametrize(("resolution", "features"), [(4, 32), (8, 64), (28, 256), (96, 256)])
def test_features_and_logits_have_shapes(resolution, features):
    network = Classifier(resolution, 1, 10)
    outputs = network(torch.randn(2, 1, resolution, resolution))
    assert [output.shape for output in outputs] == [(2, features), (2, 10)]
    assert network.feature_dim == features


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_classifier_matches_reference(training):
    network = randomise(Classifier(12, 2, 5, width=4), training)
    *pooled, last = zip(layers_of(network, nn.Conv2d), layers_of(network, nn.BatchNorm2d), strict=True)
    x = noise(2, 12, 12)
    features, logits = network(x)
    for convolution, norm in pooled:
        x = F.relu(batch_norm(F.max_pool2d(conv(x, convolution, padding=1), 2), norm, 1e-5, training))
    assert x.shape[2:] == (3, 3)
    convolution, norm = last
    x = F.relu(batch_norm(conv(x, convolution, padding=1), norm, 1e-5, training))
    assert_agrees(features, x.mean((2, 3)))
    assert_agrees(logits, linear(x.mean((2, 3)), network.out))
