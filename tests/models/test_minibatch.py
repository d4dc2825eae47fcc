"""Minibatch discrimination, compared with its formula sample by sample."""

import math

import pytest
import torch
from helpers.networks import count_parameters

from ganexp.models import dcgan, sngan_cnn
from ganexp.models.minibatch import MinibatchDiscrimination, make_minibatch_layer


@pytest.fixture
def layer():
    torch.manual_seed(0)
    layer = MinibatchDiscrimination(6, kernels=3, dims=2).double()
    with torch.no_grad():
        layer.projection.weight.normal_(0, 0.5)
    return layer


def test_output_equals_the_formula(layer):
    h = torch.randn(4, 6, dtype=torch.double)
    output = layer(h)
    m = (h @ layer.projection.weight.T).reshape(4, 3, 2).tolist()
    for i in range(4):
        for b in range(3):
            distances = [sum(abs(x - y) for x, y in zip(m[i][b], m[j][b], strict=True)) for j in range(4)]
            closeness = sum(math.exp(-distance) for j, distance in enumerate(distances) if j != i)
            assert output[i, 6 + b].item() == pytest.approx(closeness)
    assert torch.equal(output[:, :6], h)
    assert output.shape == (4, 9)


def test_a_single_sample_is_close_to_none(layer):
    assert torch.equal(layer(torch.randn(1, 6, dtype=torch.double))[:, 6:], torch.zeros(1, 3, dtype=torch.double))


def test_gradient_equals_finite_differences(layer):
    h = torch.randn(4, 6, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(layer, h, fast_mode=True)


@pytest.mark.parametrize("model", [dcgan, sngan_cnn])
@pytest.mark.parametrize("kind", ["discrimination", "std"])
def test_discriminator_compares_the_images_of_its_batch(model, kind):
    images = torch.randn(3, 1, 8, 8, requires_grad=True)
    for minibatch, compares in ((kind, True), ("none", False)):
        network = model.Discriminator(8, 1, width=4, minibatch=minibatch).eval()
        (slope,) = torch.autograd.grad(network(images)[0], images)  # gradient of the first image's logit
        assert slope[0].any()
        assert slope[1].any() == slope[2].any() == compares


@pytest.mark.parametrize(("kind", "further"), [("none", 0), ("discrimination", 6 * 3 * 2 + 3), ("std", 1)])
def test_layer_adds_its_own_weights_and_those_of_the_logit(kind, further):
    layer, count = make_minibatch_layer(kind, 6, kernels=3, dims=2)
    assert layer(torch.randn(4, 6)).shape == (4, count)
    assert count_parameters(layer) + count - 6 == further
