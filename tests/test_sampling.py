"""Sampling: the modes of networks, the latents of samples, truncation, grids, interpolations and the protocol."""

import math

import pytest
import torch
from helpers.config import config
from torch import nn

from ganexp import sampling
from ganexp.build import build_gan
from ganexp.errors import UserError
from ganexp.models.latent import Latent
from ganexp.sampling import (
    FixedLatents,
    apportion,
    grid_names,
    interpolate,
    interpolation_grid,
    labels_in_turn,
    sample_grid,
    sample_images,
    sample_labels,
    sampling_mode,
)


@pytest.fixture
def conditional():
    return build_gan(config("model.conditional=true", "model.generator.norm=batch"))


def test_sampling_mode_puts_every_mode_back():
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(), nn.Linear(2, 2))
    network[1].eval()
    with sampling_mode(network):
        assert not any(module.training for module in network.modules())
        assert not torch.is_grad_enabled()
    assert [module.training for module in network] == [True, False, True]


def test_samples_depend_on_the_seed_not_on_the_batch_size(conditional):
    at_once = torch.cat(list(sample_images(conditional, 25, 25, seed=1)))
    in_pieces = torch.cat(list(sample_images(conditional, 25, 4, seed=1)))
    assert at_once.shape == (25, 1, 8, 8)
    assert torch.allclose(at_once, in_pieces, atol=1e-5)
    assert not torch.allclose(at_once, torch.cat(list(sample_images(conditional, 25, 25, seed=2))))


def test_sampling_leaves_the_random_state_alone(conditional):
    before = torch.get_rng_state()
    list(sample_images(conditional, 10, 5, seed=1))
    sample_grid(conditional, 0, 2, 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_of_a_generator_depends_on_the_latents(conditional, monkeypatch):
    monkeypatch.setattr(conditional.generator, "forward", lambda z, labels: torch.randn(len(z), 1, 8, 8).tanh())
    before = torch.get_rng_state()
    images = torch.cat(list(sample_images(conditional, 20, 10, seed=1)))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert torch.equal(images, torch.cat(list(sample_images(conditional, 20, 10, seed=1))))
    assert images.unique(dim=0).shape == images.shape
    assert not torch.equal(images, torch.cat(list(sample_images(conditional, 20, 10, seed=2))))


@pytest.mark.parametrize(("count", "classes"), [(40, 4), (10, 4), (3, 5), (1, 1), (10_000, 10), (997, 102)])
def test_labels_in_turn_are_the_index_modulo_the_classes(count, classes):
    assert torch.equal(labels_in_turn(count, classes), torch.arange(count) % classes)
    assert labels_in_turn(count, 0) is None


@pytest.mark.parametrize(
    ("count", "shares", "expected"),
    [
        (100, [900, 100], [90, 10]),
        (10, [1, 1, 1], [4, 3, 3]),
        (7, [70, 20, 10], [5, 1, 1]),
        (100, [60, 1], [98, 2]),
        (5, [0, 3, 0, 3], [0, 3, 0, 2]),
        (2, [1, 1, 8], [0, 0, 2]),
    ],
)
def test_numbers_of_labels_are_the_shares(count, shares, expected):
    labels = sample_labels(count, shares)
    assert labels.bincount(minlength=len(shares)).tolist() == apportion(count, shares) == expected


def test_first_labels_have_the_shares_of_all():
    """Some scores, such as KID, use only the first samples. Their shares of classes must be those of all samples."""
    labels = sample_labels(1000, [70, 20, 10])
    assert labels[:100].bincount().tolist() == [70, 20, 10]
    assert labels[:10].bincount().tolist() == [7, 2, 1]
    assert torch.equal(labels, sample_labels(1000, [7, 2, 1]))


@pytest.mark.parametrize("truncation", [None, 0.5])
def test_latents_depend_on_seed_and_index_alone(monkeypatch, truncation):
    monkeypatch.setattr(sampling, "CHUNK", 40)
    latent = Latent(16)
    ordered = FixedLatents(latent, 3, truncation)[torch.arange(100)]
    shuffled = torch.randperm(100)
    latents = FixedLatents(latent, 3, truncation)
    pieces = torch.cat([latents[part] for part in shuffled.split(7)])
    assert torch.equal(pieces, ordered[shuffled])
    assert ordered.unique(dim=0).shape == (100, 16)
    assert not torch.equal(FixedLatents(latent, 4, truncation)[torch.arange(100)], ordered)


def test_latents_are_those_of_a_plain_generator():
    expected = torch.randn(50, 16, generator=torch.Generator().manual_seed(3))
    assert torch.equal(FixedLatents(Latent(16), 3)[torch.arange(50)], expected)


def test_truncated_latents_are_truncated_normal():
    z = torch.randn(500, 16, generator=torch.Generator().manual_seed(0))
    cut = sampling.truncate(z.clone(), 0.7, torch.Generator().manual_seed(1))
    assert cut.abs().max() <= 0.7
    assert torch.equal(cut[z.abs() <= 0.7], z[z.abs() <= 0.7])
    normal = torch.distributions.Normal(0, 1)
    inside = 2 * normal.cdf(torch.tensor(0.7)) - 1
    variance = 1 - 2 * 0.7 * normal.log_prob(torch.tensor(0.7)).exp() / inside  # of a normal distribution cut at ±0.7
    assert cut.var().item() == pytest.approx(variance.item(), rel=0.03)


class Recorder(nn.Module):
    """A generator that remembers its arguments and draws images whose brightness shows their class."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, z, labels):
        self.calls.append((z, labels))
        return (labels / 5 - 1)[:, None, None, None].expand(-1, 1, 8, 8)


def test_grids_have_a_class_a_row(conditional):
    recorder = conditional.networks["generator"] = Recorder()
    grid = sample_grid(conditional, seed=0, rows=3, columns=6)
    assert recorder.calls[0][1].tolist() == [label for label in range(10) for _ in range(6)]
    brightness = grid[:, 0, 0, 0]
    assert torch.equal(brightness, brightness.sort().values)
    interpolation_grid(conditional, seed=0, spherical=False)
    assert recorder.calls[1][1].tolist() == [label for label in range(10) for _ in range(5)]
    interpolation_grid(conditional, seed=0, spherical=False, rows=3, label=7)
    assert recorder.calls[2][1].tolist() == [7] * 15


def test_rows_are_named_after_their_classes(conditional):
    names = list("abcdefghij")
    assert grid_names(conditional, names, 12) == [*names, "a", "b"]
    assert grid_names(conditional, names, 2, label=7) == ["h", "h"]
    assert grid_names(conditional, [], 12) == []
    assert grid_names(build_gan(config()), names, 12) == []


@pytest.mark.parametrize("change", [lambda images: images.flatten(1), lambda images: (images, images)])
def test_what_is_no_batch_of_images_is_refused(conditional, change):
    conditional.generator.register_forward_hook(lambda network, inputs, images: change(images))
    with pytest.raises(UserError, match=r"model\.generator: must return images of shape \(N, C, H, W\), and returned"):
        list(sample_images(conditional, 4, 2, seed=0))


def test_images_are_of_the_labels_asked_for(conditional):
    conditional.networks["generator"] = Recorder()
    labels = torch.tensor([3, 3, 9, 0, 3])
    brightness = torch.cat(list(sample_images(conditional, 5, 2, seed=0, labels=labels)))[:, 0, 0, 0]
    assert torch.equal(brightness, labels / 5 - 1)


def test_grid_of_an_unconditional_gan_has_the_rows_asked_for():
    gan = build_gan(config())
    assert sample_grid(gan, seed=0, rows=3, columns=6).shape == (18, 1, 8, 8)


def test_interpolation_rows_go_between_fixed_latents(conditional):
    recorder = conditional.networks["generator"] = Recorder()
    interpolation_grid(conditional, seed=3, spherical=False)
    z = torch.randn(20, 64, generator=torch.Generator().manual_seed(3))
    rows = recorder.calls[0][0].unflatten(0, (10, 5))
    assert torch.allclose(rows[:, 0], z[10:], atol=1e-6)
    assert torch.allclose(rows[:, -1], z[:10], atol=1e-6)


def test_interpolation_ends_and_length():
    torch.manual_seed(0)
    a, b = torch.randn(3, 128), torch.randn(3, 128)
    for spherical in (False, True):
        between = interpolate(a, b, 5, spherical)
        assert between.shape == (3, 5, 128)
        assert torch.allclose(between[:, 0], a, atol=1e-5)
        assert torch.allclose(between[:, -1], b, atol=1e-5)
    assert torch.allclose(interpolate(a, b, 5)[:, 2], (a + b) / 2)
    x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    middle = interpolate(x, y, 3, spherical=True)[0, 1]
    assert torch.allclose(middle, torch.full((2,), math.sqrt(0.5)))


@pytest.mark.parametrize("dim", [1, 2, 5, 100])
def test_latents_on_one_line_are_interpolated_linearly(dim):
    """Latents that have a single component are all on one line through the origin."""
    start, factors = torch.randn(1, dim, generator=torch.Generator().manual_seed(0)), torch.linspace(-2, 3, 50)[:, None]
    a, b = start.expand(50, -1), start * factors
    assert torch.allclose(interpolate(a, b, 5, spherical=True), interpolate(a, b, 5), atol=1e-3)
    away = torch.nn.functional.pad(b, (0, 1), value=1.0)  # these latents are not on a line with `a`
    a = torch.nn.functional.pad(a, (0, 1))
    both = interpolate(torch.cat([a, a]), torch.cat([torch.nn.functional.pad(b, (0, 1)), away]), 5, spherical=True)
    assert torch.equal(both[50:], interpolate(a, away, 5, spherical=True))
    assert torch.allclose(both[:50], interpolate(a, torch.nn.functional.pad(b, (0, 1)), 5), atol=1e-3)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("model.generator.norm=none", "schedule.ema.decay=0.9"), ("averaged (EMA)", "none")),
        (("model.generator.norm=batch",), ("raw", "running statistics")),
        (("experiment=dcgan/mnist_saturating", "as_published=dcgan"), ("raw", "the batch's statistics")),
    ],
)
def test_protocol_names_weights_and_batch_norm(overrides, expected):
    gan = build_gan(config(*overrides))
    protocol = sampling.sampling_protocol(gan)
    assert (protocol["weights"], protocol["batch_norm"]) == expected
    needs_batches = expected[1] == "the batch's statistics"
    assert sampling.needs_batches(gan) == needs_batches
    assert sampling.drawn_together(gan, 64) == (64 if needs_batches else None)
