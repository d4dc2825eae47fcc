"""The distribution of latents."""

import torch

from ganexp.models.latent import Latent


def test_normal_latents_have_unit_variance():
    z = Latent(64).sample(2000, generator=torch.Generator().manual_seed(0))
    assert z.shape == (2000, 64)
    assert z.dtype == torch.float32
    assert abs(z.mean().item()) < 0.01
    assert abs(z.std().item() - 1) < 0.01


def test_uniform_latents_fill_minus_one_to_one():
    z = Latent(64, "uniform").sample(2000, generator=torch.Generator().manual_seed(0))
    assert z.min() >= -1
    assert z.max() <= 1
    assert abs(z.var().item() - 1 / 3) < 0.01


def test_latents_depend_on_the_given_generator_only():
    first = Latent(8).sample(4, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(5)
    state = torch.get_rng_state()
    second = Latent(8).sample(4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
