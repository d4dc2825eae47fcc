"""BEGAN's loss and the state k equal the paper's formulas, and the gradients of the loss equal finite differences."""

import pytest
import torch
from helpers.bench import Bench
from torch.func import functional_call

from ganexp.losses import Began
from ganexp.models.autoencoder import Discriminator

NARROW = ("model=autoencoder", "model.generator.width=4", "model.discriminator.width=4", "model.discriminator.code=6")


def test_terms_and_k_follow_the_papers_recursion():
    torch.manual_seed(0)
    gamma, rate, k = 0.7, 0.2, 0.0
    loss = Began(gamma, rate).double()
    seen = []
    for _ in range(20):
        real, fake = 3 * torch.rand(5, dtype=torch.double), 2 * torch.rand(3, dtype=torch.double)
        terms = loss.discriminator(real, fake)
        mean_real, mean_fake = sum(real.tolist()) / 5, sum(fake.tolist()) / 3
        assert terms["real"].item() == pytest.approx(mean_real)
        assert terms["fake"].item() == pytest.approx(-k * mean_fake)
        k = min(1.0, max(0.0, k + rate * (gamma * mean_real - mean_fake)))
        convergence = mean_real + abs(gamma * mean_real - mean_fake)
        assert {name: value.item() for name, value in loss.values().items()} == pytest.approx(
            {"k": k, "convergence": convergence}
        )
        seen.append(k)
        assert loss.generator(fake)["adversarial"].item() == pytest.approx(mean_fake)
    assert 0 in seen
    assert max(seen) > 0


def test_k_is_at_most_1():
    loss = Began(gamma=1.0, rate=10.0)
    loss.discriminator(torch.ones(2), torch.zeros(2))
    assert loss.values()["k"] == 1


def test_gradients_of_both_networks_equal_finite_differences():
    torch.manual_seed(1)
    network = Discriminator(6, 2, width=3, code=4).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.3)
    real, fake = torch.randn(2, 3, 2, 6, 6, dtype=torch.double)

    def of_discriminator(weight):
        loss = Began(0.5, 0.001).double()
        loss.k = torch.tensor(0.3, dtype=torch.double)
        call = {"encoder.0.weight": weight}
        d_real, d_fake = (functional_call(network, call, (images,)) for images in (real, fake))
        return sum(loss.discriminator(d_real, d_fake).values())

    def of_generator(images):
        return Began(0.5, 0.001).generator(network(images))["adversarial"]

    weight = network.encoder[0].weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(of_discriminator, weight, fast_mode=True)
    assert torch.autograd.gradcheck(of_generator, fake.clone().requires_grad_(), fast_mode=True)


def test_k_is_saved_with_the_networks():
    loss = Began(0.5, 0.1)
    loss.discriminator(torch.full((2,), 4.0), torch.ones(2))
    other = Began(0.5, 0.1)
    other.load_state_dict(loss.state_dict())
    assert other.k == loss.k == pytest.approx(0.1)


def test_values_are_logged_beside_the_losses():
    bench = Bench("loss=began", model=NARROW)
    gan = bench.gan
    gan.log_every = 2
    gan.log_values = gan.logged.update
    bench.step(2)
    values = gan.objective.values()
    assert values["k"] > 0
    assert gan.logged["objective/k"] == values["k"].item()
    assert gan.logged["objective/convergence"] == values["convergence"].item()
    assert gan.logged["loss/discriminator/real"] > 0


def test_logit_is_greater_for_well_reconstructed_images():
    gan = Bench("loss=began", model=NARROW).gan
    images = next(gan.stream).images
    assert torch.equal(gan.objective.logit(gan.discriminator, images, None), -gan.discriminator(images))
