"""The generator with dropout: the share of zeros, the mean activation, and images that depend only on their latents."""

import inspect

import pytest
import torch

from ganexp.models import dcgan, dcgan_dropout
from ganexp.models.dcgan_dropout import latent_seeds, uniform_numbers


def make(**options):
    torch.manual_seed(0)
    return dcgan_dropout.Generator(16, 16, 1, 4, **options)


def test_numbers_are_uniform_and_independent():
    seeds = latent_seeds(torch.randn(300, 8, generator=torch.Generator().manual_seed(0)))
    numbers = uniform_numbers(seeds, 500)
    assert numbers.shape == (300, 500)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert torch.histc(numbers, 10, 0, 1).sub(15_000).abs().max() < 600  # 600 is about 5 standard deviations
    for table in (numbers, numbers.T):  # the numbers of two latents, or of two places, are not correlated
        assert torch.corrcoef(table[:2])[0, 1].abs() < 0.3
    assert numbers.unique().numel() > 140_000


def test_seeds_depend_on_every_component_and_its_place():
    z = torch.tensor([[1.0, 2.0, 3.0], [2.0, 1.0, 3.0], [1.0, 2.0, 3.0000002], [1.0, 2.0, 3.0]])
    seeds = latent_seeds(z).tolist()
    assert len(set(seeds)) == 3
    assert seeds[0] == seeds[3]


@pytest.mark.parametrize("training", [True, False])
def test_dropout_sets_its_share_to_zero_and_keeps_the_mean(training):
    seen = []
    generator = make(dropout=0.3, norm="none").train(training)
    generator.body[-2].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    for layer in generator.body[2:3]:
        layer.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    generator.project.bias.data.fill_(1.0)  # all activations are positive
    generator(torch.randn(200, 16))
    first, last = seen
    assert (first == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert first.mean().item() == pytest.approx(1, abs=0.05)
    assert (last[last.flatten(1).abs().sum(1) > 0] == 0).float().mean() < 0.9  # the zeros come from ReLU alone


def test_image_depends_on_its_latent_alone():
    generator, z = make().eval(), torch.randn(6, 16)
    state = torch.get_rng_state()
    images = generator(z)
    assert torch.equal(state, torch.get_rng_state())
    torch.testing.assert_close(generator(z[2:4]), images[2:4])
    assert not torch.allclose(dcgan.Generator.forward(generator, z), images)


def test_without_dropout_it_is_the_generator_of_dcgan():
    plain = dcgan.Generator(16, 16, 1, 4)
    generator = make(dropout=0.0)
    generator.load_state_dict(plain.state_dict())
    z = torch.randn(3, 16)
    assert torch.equal(generator(z), plain(z))


def test_dropout_generator_takes_all_arguments_of_dcgans():
    ours, theirs = (inspect.signature(module.Generator).parameters for module in (dcgan_dropout, dcgan))
    assert {name: each for name, each in ours.items() if name != "dropout"} == dict(theirs)
