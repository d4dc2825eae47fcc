"""The discriminator's logits on training, held-out and generated images."""

import pytest
import torch
from helpers.config import config

from ganexp.build import build_gan
from ganexp.callbacks.discriminator_logits import DiscriminatorLogits, probability_greater
from ganexp.data.images import ImageSet
from ganexp.pixels import from_uint8
from ganexp.sampling import EVALUATION_SEED, sample_images


def watched(*overrides):
    """Return a GAN, a `DiscriminatorLogits` callback with two sets of 30 images, and the pixels of both sets."""
    gan = build_gan(config("data=fake", "data.resolution=8", "data.channels=1", "model=mlp", *overrides))
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, 30, 1, 8, 8), generator=generator, dtype=torch.uint8)
    labels, classes = torch.arange(30) % 10, list("0123456789")
    sets = {name: ImageSet(images, labels, classes) for name, images in zip("ab", pixels, strict=True)}
    return gan, DiscriminatorLogits(sets), pixels


def test_logits_are_the_discriminators_and_change_nothing():
    gan, callback, pixels = watched("loss=hinge", "model.discriminator.dropout=0.5")
    gan.discriminator.train()
    before = torch.get_rng_state()
    logits = callback.logits(gan, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(module.training for module in gan.discriminator.modules())
    gan.discriminator.eval()
    with torch.no_grad():
        expected = gan.discriminator(from_uint8(pixels[0]), None)
        assert torch.allclose(logits["a"].sort().values, expected.sort().values, atol=1e-5)
        fakes = torch.cat(list(sample_images(gan, 1000, 250, 3)))
        assert torch.allclose(logits["fake"], gan.discriminator(fakes, None), atol=1e-5)


def test_generated_images_have_the_shares_of_the_first_set():
    """If real and generated images had different shares of classes, this alone could make their mean logits differ."""
    gan, _, pixels = watched("loss=hinge", "model.conditional=true")
    labels = torch.tensor([0] * 27 + [4] * 3)
    gan.networks["generator"] = LabelAsBrightness()
    gan.objective.logit = lambda network, images, labels: images[:, 0, 0, 0] * 10 + labels
    sets = {"train": ImageSet(pixels[0], labels, list("0123456789"))}
    logits = DiscriminatorLogits(sets).logits(gan, 0)
    assert logits["fake"].round().int().bincount().tolist() == [900, 0, 0, 0, 0, 0, 0, 0, 100]


@pytest.mark.parametrize("count", [1000, 1500])
def test_batches_of_real_images_mix_the_classes(count):
    """The set is sorted by class, but each batch that the discriminator receives must contain all classes."""
    gan, _, _ = watched("loss=hinge")
    labels = torch.arange(count) * 5 // count
    pixels = (labels * 50).to(torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8)
    gan.objective.logit = lambda network, images, labels: images[:, 0, 0, 0].std().expand(len(images))
    logits = DiscriminatorLogits({"train": ImageSet(pixels, labels, list("abcde"))}).logits(gan, 0)
    spread = from_uint8(pixels)[:, 0, 0, 0].std().item()
    assert len(logits["train"]) == 1000
    assert logits["train"].tolist() == pytest.approx([spread] * 1000, rel=0.15)


class LabelAsBrightness(torch.nn.Module):
    """A generator of images in which every pixel is the label divided by 10."""

    def forward(self, z, labels):
        return (labels / 10)[:, None, None, None].expand(-1, 1, 8, 8)


def test_discriminator_that_memorised_its_images_shows():
    gan, callback, pixels = watched("loss=non_saturating", "model.conditional=true")
    optimizer = torch.optim.Adam(gan.discriminator.parameters(), 1e-3)
    for _ in range(60):
        logits = [gan.discriminator(from_uint8(images), torch.arange(30) % 10) for images in pixels]
        optimizer.zero_grad()
        (logits[1].mean() - logits[0].mean()).backward()
        optimizer.step()
    logits = callback.logits(gan, 0)
    assert probability_greater(logits["a"], logits["b"]) > 0.95


@pytest.mark.parametrize(("loss", "has_probability"), [("non_saturating", True), ("two_class", True), ("hinge", False)])
def test_probabilities_are_logged_if_the_loss_has_them(monkeypatch, loss, has_probability):
    gan, callback, _ = watched(f"loss={loss}")
    logged = {}
    monkeypatch.setattr(gan, "log_values", logged.update)
    callback.on_validation_end(None, gan)
    logits = callback.logits(gan, EVALUATION_SEED)
    expected = {f"probability/{name}": values.sigmoid().mean().item() for name, values in logits.items()}
    assert {key: value for key, value in logged.items() if "logit" not in key} == (expected if has_probability else {})
    assert {key for key in logged if "logit" in key} == {"d_logit/fake", "d_logit/a", "d_logit/b"}


def test_two_class_logits_are_odds_and_vectors_give_none():
    gan, callback, pixels = watched("loss=two_class")
    gan.discriminator.eval()
    with torch.no_grad():
        odds = gan.discriminator(from_uint8(pixels[0]), None).log_softmax(1)
    expected = (odds[:, 1] - odds[:, 0]).sort().values
    assert torch.allclose(callback.logits(gan, 0)["a"].sort().values, expected, atol=1e-5)
    gan, callback, _ = watched("loss=cramer")
    assert callback.logits(gan, 0) == {}


def test_images_are_given_in_the_range_of_training():
    gan, callback, pixels = watched("loss=hinge", "data.range=unit")
    gan.discriminator.eval()
    with torch.no_grad():
        expected = gan.discriminator(pixels[0] / 255, None)
    assert torch.allclose(callback.logits(gan, 0)["a"].sort().values, expected.sort().values, atol=1e-5)


def test_probability_greater_counts_pairs():
    value = probability_greater(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 3.0]))
    assert value == pytest.approx((0 + 0 + 1 + 0.5) / 4)
