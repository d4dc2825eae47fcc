"""Denoising feature matching: closed forms, which loss changes which network, and the order of the updates."""

from copy import deepcopy

import pytest
import torch
from helpers.bench import Bench
from torch import nn

from ganexp.losses import FeatureDenoising
from ganexp.losses.objective import Batch
from ganexp.models.dfm import Denoiser, Discriminator

NARROW = ("model.generator.width=4", "model.discriminator.width=4", "model.auxiliary.denoiser.layers=3")


@pytest.fixture
def networks():
    torch.manual_seed(0)
    discriminator = Discriminator(8, 1, width=4).double()
    denoiser = Denoiser(discriminator.feature_dim, layers=3).double()
    for norm in (layer for layer in denoiser.modules() if isinstance(layer, nn.BatchNorm1d)):
        norm.running_mean.normal_()
    return {"discriminator": discriminator, "denoiser": denoiser}


def images():
    return torch.randn(5, 1, 8, 8, dtype=torch.double)


def test_denoiser_minimises_the_error_on_noisy_features(networks):
    real = images()
    torch.manual_seed(3)
    (loss,) = FeatureDenoising(0.03, noise=2.0).denoiser(networks, Batch(real, None)).values()
    features = networks["discriminator"].features(real)
    torch.manual_seed(3)
    denoised = networks["denoiser"](features + 2.0 * torch.randn_like(features))
    assert loss.item() == pytest.approx(((denoised - features) ** 2).mean().item())
    loss.backward()
    assert all(parameter.grad is None for parameter in networks["discriminator"].parameters())
    assert all(parameter.grad is not None for parameter in networks["denoiser"].parameters())


def test_generators_gradient_treats_the_denoised_features_as_constant(networks):
    """The gradient is Jᵀ·2·weight·(φ - r(φ))/n.

    Here, φ are the features of the generated images, n is the number of values in φ, J is the Jacobian of φ, and r(φ)
    are the denoised features.
    """
    discriminator, denoiser = networks["discriminator"], networks["denoiser"]
    fake = images().requires_grad_()
    (loss,) = FeatureDenoising(0.5).generator(networks, Batch(images(), None, fake)).values()
    features = discriminator.features(fake)
    difference = features - deepcopy(denoiser).eval()(features)
    assert loss.item() == pytest.approx(0.5 * difference.square().mean().item())
    (slope,) = torch.autograd.grad(loss, fake)
    weights = (2 * 0.5 * difference / difference.numel()).detach()
    (expected,) = torch.autograd.grad(features, fake, weights, retain_graph=True)
    assert torch.allclose(slope, expected)
    (through_denoiser,) = torch.autograd.grad(0.5 * difference.square().mean(), fake)
    assert not torch.allclose(slope, through_denoiser, rtol=1e-3)


def test_generators_term_leaves_the_denoiser_as_it_is(networks):
    before = deepcopy(networks["denoiser"].state_dict())
    FeatureDenoising(0.5).generator(networks, Batch(images(), None, images()))
    assert networks["denoiser"].training
    assert all(torch.equal(value, before[name]) for name, value in networks["denoiser"].state_dict().items())


def test_every_network_has_its_own_update():
    words = ("loss=non_saturating", "loss/auxiliary=feature_denoising", *NARROW)
    bench = Bench(*words, model=())
    gan = bench.gan
    before = deepcopy(gan.state_dict())
    bench.step()
    assert bench.events == ["C", "D", "G"]
    for name in ("generator", "discriminator", "denoiser"):
        changed = [not torch.equal(gan.state_dict()[key], value) for key, value in before.items() if name in key]
        assert sum(changed) > len(changed) / 2


@pytest.mark.parametrize(("model", "features"), [("dfm", 64), ("dcgan", 128)])
def test_denoiser_has_as_many_inputs_as_the_discriminator_has_features(model, features):
    bench = Bench("loss=hinge", "loss/auxiliary=feature_denoising", f"model={model}", *NARROW, model=())
    assert bench.gan.networks["denoiser"].body[0].in_features == features
    bench.step()
