"""Adaptive augmentation: its probability, the frequency of each change, the gradients, and its use in a training."""

import math

import pytest
import torch
from helpers.bench import Bench
from helpers.config import config

from ganexp.augment.ada import INTERVAL, Ada, random_colours, random_geometry
from ganexp.build import build_gan
from ganexp.errors import UserError

pytestmark = pytest.mark.slow


def ada(target=0.6, probability=0.0, images=64, batch_size=4):
    return Ada(target, probability, images, batch_size)


def observe(part, shares):
    """Tell the augmentation, share by share, how many real images D classifies as real; return p after each share."""
    probabilities = []
    for share in shares:
        part.observe({"real": torch.tensor(share)})
        probabilities.append(part.values()["augment_probability"].item())
    return probabilities


def test_probability_follows_the_mean_sign_of_four_updates():
    """An update has 4 images, and p rises by 1 in 64 images, so four updates change p by 4·4/64 = 0.25."""
    shares = [1.0, 1.0, 0.7, 0.7, 0.8, 0.9, 0.7, 0.9, 0.8, 0.8, 0.8, 0.7, 0.1, 0.1, 0.1, 0.1, 0.5]
    means = [sum(shares[start : start + 4]) / 4 for start in (0, 4, 8, 12)]
    assert [2 * mean - 1 > 0.6 for mean in means] == [True, True, False, False]
    assert observe(ada(), shares) == [0.0] * 4 + [0.25] * 4 + [0.5] * 4 + [0.25] * 4 + [0.0]
    assert observe(ada(), [1.0] * 100)[-1] == 1.0


def test_probability_stays_without_a_target():
    part = ada(target=None, probability=0.3)
    assert observe(part, [1.0] * 9) == pytest.approx([0.3] * 9)


def test_state_continues_from_a_checkpoint():
    first, second = ada(), ada()
    shares = [1.0] * (2 * INTERVAL + 2)
    expected = observe(first, [*shares, *shares])
    observe(second, shares)
    resumed = ada()
    resumed.load_state_dict(second.state_dict())
    assert observe(resumed, shares) == expected[len(shares) :]


def test_no_image_is_changed_with_probability_0():
    images = torch.rand(5, 3, 8, 12)
    assert torch.equal(ada(probability=0.0)(images), images)


@pytest.mark.parametrize("channels", [1, 3])
def test_share_of_unchanged_images_is_that_of_independent_changes(channels):
    """Each change is made with the probability p, independently of the other changes.

    The two rotations by any angle count as one change. Some changes can leave an image as it is: mirroring with the
    probability ½, quarter turns with ¼, inversion with ½, and a shift by whole pixels with ⅛², as it may be rounded to
    0 along each of the two axes.
    """
    p, count, size = torch.tensor(0.3), 40_000, 32
    geometry = random_geometry(count, size, size, p)
    rounded_to_0 = 1 / (2 * 0.125 * size)  # the share of shifts along one axis
    still = 1 - 0.3 + 0.3 * rounded_to_0**2
    expected = (1 - 0.3 / 2) * (1 - 0.3 * 3 / 4) * still * 0.7 * 0.7 * 0.7 * 0.7
    unchanged = torch.isclose(geometry, torch.eye(3), atol=1e-6).flatten(1).all(1).float().mean().item()
    assert unchanged == pytest.approx(expected, abs=4 * math.sqrt(expected / count))
    colours = random_colours(count, channels, p)
    expected = 0.7 * 0.7 * (1 - 0.3 / 2) * (0.7**2 if channels == 3 else 1)
    unchanged = torch.isclose(colours, torch.eye(4), atol=1e-6).flatten(1).all(1).float().mean().item()
    assert unchanged == pytest.approx(expected, abs=4 * math.sqrt(expected / count))


def test_image_is_shifted_along_both_axes_or_not_at_all():
    geometry = random_geometry(10_000, 1000, 1000, torch.tensor(0.2))  # hardly any shift is rounded to 0
    x, y = geometry[:, :2, 2].unbind(1)
    assert ((x != 0) == (y != 0)).float().mean() > 0.99
    assert (x != 0).float().mean().item() == pytest.approx(1 - 0.8**2, abs=0.02)  # two shifts, each with probability p


def test_sizes_of_the_changes_are_those_of_the_paper():
    one, count = torch.tensor(1.0), 40_000
    geometry = random_geometry(count, 64, 32, one)
    areas = geometry[:, :2, :2].det()
    assert areas.abs().log2().std().item() == pytest.approx(2 * 0.2, rel=0.02)  # stretching keeps the area
    assert (areas < 0).float().mean().item() == pytest.approx(0.5, abs=0.01)  # mirrored images
    colours = random_colours(count, 3, one)
    axis = torch.ones(3) / math.sqrt(3)
    along = torch.einsum("i,nij,j->n", axis, colours[:, :3, :3], axis)
    assert along.abs().log2().std().item() == pytest.approx(0.5, rel=0.02)  # contrast
    assert (along < 0).float().mean().item() == pytest.approx(0.5, abs=0.01)  # inverted brightness
    across = colours[:, :3, :3].det() / along.pow(3)  # the squared saturation, which scales both axes across grey
    assert across.abs().log2().std().item() == pytest.approx(2 * 1.0, rel=0.02)


def test_gradients_of_both_orders_are_right():
    def seeded(images):
        torch.manual_seed(1)
        return ada(probability=1.0)(images).pow(3)

    images = torch.rand(1, 3, 3, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(seeded, images)
    assert torch.autograd.gradgradcheck(seeded, images)


def test_training_adapts_to_the_discriminator():
    rises = ("optimizer.discriminator.lr=0.01", "optimizer.generator.lr=0", "augment.ada.images=640")
    bench = Bench("augment=ada", "loss=hinge", *rises)
    bench.step(80)
    (part,) = bench.gan.objective.augmentations
    assert bench.gan.objective.values()["augment_probability"] > 0.2
    assert "objective.stateful_parts.augmentation_0.probability" in bench.gan.state_dict()
    assert part.change == 4 * 8 / 640


@pytest.mark.parametrize("loss", ["wgan_gp", "relativistic", "cramer"])
def test_critic_cannot_adapt_the_probability(loss):
    with pytest.raises(UserError, match=r"^augment\.ada adapts .* augment\.ada\.target=null"):
        build_gan(config("augment=ada", f"loss={loss}"))
    build_gan(config("augment=ada", f"loss={loss}", "augment.ada.target=null", "augment.ada.probability=0.5"))


@pytest.mark.parametrize("loss", ["two_class", "least_squares", "non_saturating"])
def test_discriminator_that_classifies_can_adapt_the_probability(loss):
    bench = Bench("augment=ada", f"loss={loss}", "augment.ada.images=32", "optimizer.generator.lr=0")
    bench.step(5)
    assert bench.gan.objective.augmentations[0].updates > 0


def test_penalty_sees_changed_images_and_trains():
    bench = Bench("augment=ada", "augment.ada.probability=1", "loss=hinge", "loss/penalty=r1")
    before = bench.weights()
    bench.step(2)
    assert all(weights.isfinite().all() for weights in bench.weights())
    assert any(not torch.equal(a, b) for a, b in zip(before, bench.weights(), strict=True))
