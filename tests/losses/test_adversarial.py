"""Adversarial losses against their closed forms."""

import math

import pytest
import torch
from torch.nn import Linear

from ganexp.losses import (
    Hinge,
    LeastSquares,
    NonSaturating,
    Saturating,
    TwoClass,
    Wasserstein,
    WeightClipping,
)

REAL, FAKE = torch.tensor([2.0, -0.5]), torch.tensor([-3.0, 1.0])


def total(terms):
    return sum(term.item() for term in terms.values())


def gradient_at(loss, logit):
    """d(generator loss)/d(logit) for one sample."""
    x = torch.tensor([logit], requires_grad=True)
    (gradient,) = torch.autograd.grad(sum(loss.generator(x).values()), x)
    return gradient.item()


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_hinge():
    zero = torch.zeros(3)
    assert total(Hinge().discriminator(zero, zero)) == 2.0
    assert total(Hinge().generator(zero)) == 0.0
    # max(0, 1-2), max(0, 1+.5); max(0, 1-3), max(0, 1+1)
    assert total(Hinge().discriminator(REAL, FAKE)) == pytest.approx(1.5 / 2 + 2 / 2)
    assert total(Hinge().generator(FAKE)) == pytest.approx(1.0)


@pytest.mark.parametrize("loss", [NonSaturating(), Saturating()])
def test_both_logistic_losses_share_the_discriminators_side(loss):
    by_hand = -sum(math.log(sigmoid(x)) for x in REAL) / 2 - sum(math.log(1 - sigmoid(x)) for x in FAKE) / 2
    assert total(loss.discriminator(REAL, FAKE)) == pytest.approx(by_hand, rel=1e-6)
    assert total(loss.discriminator(torch.zeros(1), torch.zeros(1))) == pytest.approx(2 * math.log(2))


def test_generator_losses_by_formula():
    assert total(NonSaturating().generator(FAKE)) == pytest.approx(
        -sum(math.log(sigmoid(x)) for x in FAKE) / 2, rel=1e-6
    )
    assert total(Saturating().generator(FAKE)) == pytest.approx(
        sum(math.log(1 - sigmoid(x)) for x in FAKE) / 2, rel=1e-6
    )


def test_only_the_saturating_loss_saturates():
    assert gradient_at(NonSaturating(), 0.0) == pytest.approx(-0.5)
    assert gradient_at(Saturating(), 0.0) == pytest.approx(-0.5)
    assert gradient_at(NonSaturating(), -6.0) == pytest.approx(-0.9975, abs=1e-4)
    assert gradient_at(Saturating(), -6.0) == pytest.approx(-0.0025, abs=1e-4)


def test_logistic_losses_stay_finite_at_extreme_logits():
    extreme = torch.tensor([-1e4, 1e4])
    for loss in (NonSaturating(), Saturating()):
        assert math.isfinite(total(loss.discriminator(extreme, extreme)))
        assert math.isfinite(total(loss.generator(extreme)))


def test_two_class_is_softmax_cross_entropy():
    real, fake = torch.tensor([[0.5, 2.0]]), torch.tensor([[1.0, -1.0]])
    p_real = math.exp(2.0) / (math.exp(0.5) + math.exp(2.0))
    p_fake_is_real = math.exp(-1.0) / (math.exp(1.0) + math.exp(-1.0))
    assert total(TwoClass().discriminator(real, fake)) == pytest.approx(
        -math.log(p_real) - math.log(1 - p_fake_is_real)
    )
    assert total(TwoClass().generator(fake)) == pytest.approx(-math.log(p_fake_is_real))


def test_least_squares():
    assert total(LeastSquares().discriminator(REAL, FAKE)) == pytest.approx((1 + 2.25) / 4 + (9 + 1) / 4)
    assert total(LeastSquares().generator(FAKE)) == pytest.approx((16 + 0) / 4)


def test_wasserstein():
    assert total(Wasserstein().discriminator(REAL, FAKE)) == pytest.approx(-1.0 - 0.75)
    assert total(Wasserstein().generator(FAKE)) == pytest.approx(1.0)


@pytest.mark.parametrize("loss", [NonSaturating(), Saturating(), Hinge(), LeastSquares(), Wasserstein()])
def test_every_generator_wants_a_higher_logit(loss):
    assert gradient_at(loss, 0.3) < 0


def test_weight_clipping():
    network = Linear(20, 20)
    inside = network.weight.detach().clone().clamp(-0.01, 0.01)
    WeightClipping(0.01)(network)
    assert torch.equal(network.weight, inside)
    assert network.bias.abs().max() <= 0.01
    with pytest.raises(ValueError, match="positive"):
        WeightClipping(0.0)


@pytest.mark.parametrize("loss", [NonSaturating, Saturating])
def test_one_sided_label_smoothing(loss):
    smooth = loss(real_target=0.9)
    expected = -sum(0.9 * math.log(sigmoid(x)) + 0.1 * math.log(1 - sigmoid(x)) for x in REAL.tolist()) / 2
    terms, plain = smooth.discriminator(REAL, FAKE), loss().discriminator(REAL, FAKE)
    assert terms["real"].item() == pytest.approx(expected, rel=1e-5)
    assert terms["fake"] == plain["fake"]
    assert smooth.generator(FAKE) == loss().generator(FAKE)


def test_real_targets_are_drawn_for_every_image():
    loss, logits = NonSaturating(real_target=[0.8, 1.2]), torch.full((20_000,), 2.0, requires_grad=True)
    torch.manual_seed(0)
    value = loss.discriminator(logits, FAKE)["real"]
    (slope,) = torch.autograd.grad(value, logits)
    targets = sigmoid(2.0) - slope * len(logits)  # d/dl = σ(l) - t
    assert 0.8 <= targets.min() < 0.801
    assert 1.199 < targets.max() <= 1.2001
    assert targets.mean().item() == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize("target", [0.0, -1.0, [1.2, 0.8], [0.9], []])
def test_wrong_targets_are_refused(target):
    with pytest.raises(ValueError, match="real_target="):
        NonSaturating(real_target=target)


@pytest.mark.parametrize("loss", [NonSaturating, Saturating])
def test_probabilities_are_torchs_bce(loss):
    bce, p_real, p_fake = torch.nn.BCELoss(), REAL.sigmoid(), FAKE.sigmoid()
    terms = loss(probabilities=True).discriminator(REAL, FAKE)
    assert terms["real"] == bce(p_real, torch.ones(2))
    assert terms["fake"] == bce(p_fake, torch.zeros(2))
    assert loss(probabilities=True).discriminator(torch.tensor([20.0]), torch.tensor([20.0]))["fake"] == 100  # clamped
    for logits in (REAL, FAKE):
        ours, plain = loss(probabilities=True).generator(logits), loss().generator(logits)
        assert ours["adversarial"].item() == pytest.approx(plain["adversarial"].item(), rel=1e-5)
    assert gradient_at(Saturating(), 40.0) == pytest.approx(-1)
    assert gradient_at(Saturating(probabilities=True), 40.0) == 0  # the sigmoid is 1: clamped, no gradient left
