"""Adversarial losses and weight clipping, compared with their closed forms."""

import inspect
import math

import pytest
import torch
from torch.nn import Linear

from ganexp.config.instantiate import instantiate
from ganexp.errors import UserError
from ganexp.losses import (
    Cramer,
    Hinge,
    LeastSquares,
    NonSaturating,
    Relativistic,
    Saturating,
    TwoClass,
    Wasserstein,
    WeightClipping,
)

REAL, FAKE = torch.tensor([2.0, -0.5]), torch.tensor([-3.0, 1.0])


def total(terms):
    return sum(term.item() for term in terms.values())


def gradient_at(loss, logit):
    """Return d(generator loss)/d(logit) for one sample."""
    x = torch.tensor([logit], requires_grad=True)
    (gradient,) = torch.autograd.grad(sum(loss.generator(x).values()), x)
    return gradient.item()


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_hinge_equals_closed_form():
    zero = torch.zeros(3)
    assert total(Hinge().discriminator(zero, zero)) == 2.0
    assert total(Hinge().generator(zero)) == 0.0
    # The terms are max(0, 1-2) and max(0, 1+.5) for REAL, and max(0, 1-3) and max(0, 1+1) for FAKE.
    assert total(Hinge().discriminator(REAL, FAKE)) == pytest.approx(1.5 / 2 + 2 / 2)
    assert total(Hinge().generator(FAKE)) == pytest.approx(1.0)


@pytest.mark.parametrize("loss", [NonSaturating(), Saturating()])
def test_logistic_discriminator_losses_equal_closed_form(loss):
    by_hand = -sum(math.log(sigmoid(x)) for x in REAL) / 2 - sum(math.log(1 - sigmoid(x)) for x in FAKE) / 2
    assert total(loss.discriminator(REAL, FAKE)) == pytest.approx(by_hand, rel=1e-6)
    assert total(loss.discriminator(torch.zeros(1), torch.zeros(1))) == pytest.approx(2 * math.log(2))


def test_logistic_generator_losses_equal_closed_form():
    assert total(NonSaturating().generator(FAKE)) == pytest.approx(
        -sum(math.log(sigmoid(x)) for x in FAKE) / 2, rel=1e-6
    )
    assert total(Saturating().generator(FAKE)) == pytest.approx(
        sum(math.log(1 - sigmoid(x)) for x in FAKE) / 2, rel=1e-6
    )


def test_only_saturating_loss_has_vanishing_gradient():
    assert gradient_at(NonSaturating(), 0.0) == pytest.approx(-0.5)
    assert gradient_at(Saturating(), 0.0) == pytest.approx(-0.5)
    assert gradient_at(NonSaturating(), -6.0) == pytest.approx(-0.9975, abs=1e-4)
    assert gradient_at(Saturating(), -6.0) == pytest.approx(-0.0025, abs=1e-4)


def test_logistic_losses_are_finite_at_extreme_logits():
    extreme = torch.tensor([-1e4, 1e4])
    for loss in (NonSaturating(), Saturating()):
        assert math.isfinite(total(loss.discriminator(extreme, extreme)))
        assert math.isfinite(total(loss.generator(extreme)))


def test_two_class_equals_softmax_cross_entropy():
    real, fake = torch.tensor([[0.5, 2.0]]), torch.tensor([[1.0, -1.0]])
    p_real = math.exp(2.0) / (math.exp(0.5) + math.exp(2.0))
    p_fake_is_real = math.exp(-1.0) / (math.exp(1.0) + math.exp(-1.0))
    expected = -math.log(p_real) - math.log(1 - p_fake_is_real)
    assert total(TwoClass().discriminator(real, fake)) == pytest.approx(expected)
    assert total(TwoClass().generator(fake)) == pytest.approx(-math.log(p_fake_is_real))


def test_two_class_logit_is_log_odds_of_real():
    outputs = torch.tensor([[0.5, 2.0], [1.0, -1.0]])
    p_real = outputs.softmax(1)[:, 1]
    assert torch.allclose(TwoClass().logit(outputs), torch.log(p_real / (1 - p_real)))


def test_least_squares_equals_closed_form():
    assert total(LeastSquares().discriminator(REAL, FAKE)) == pytest.approx((1 + 2.25) / 4 + (9 + 1) / 4)
    assert total(LeastSquares().generator(FAKE)) == pytest.approx((16 + 0) / 4)


def test_wasserstein_equals_closed_form():
    assert total(Wasserstein().discriminator(REAL, FAKE)) == pytest.approx(-1.0 - 0.75)
    assert total(Wasserstein().generator(FAKE)) == pytest.approx(1.0)


def test_relativistic_loss_compares_pairs():
    differences = [2.0 + 3.0, -0.5 - 1.0]  # D(x) - D(G(z))
    loss = Relativistic()
    by_hand = -sum(math.log(sigmoid(x)) for x in differences) / 2
    assert total(loss.discriminator(REAL, FAKE)) == pytest.approx(by_hand, rel=1e-6)
    by_hand = -sum(math.log(sigmoid(-x)) for x in differences) / 2
    assert total(loss.generator(FAKE, REAL)) == pytest.approx(by_hand, rel=1e-6)
    fake = torch.zeros(2, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss.generator(fake, REAL)["adversarial"], fake)
    assert gradient.tolist() == pytest.approx([-sigmoid(2.0) / 2, -sigmoid(-0.5) / 2])
    assert math.isfinite(total(loss.discriminator(torch.tensor([-1e4]), torch.tensor([1e4]))))


@pytest.mark.parametrize("loss", [NonSaturating(), Saturating(), Hinge(), LeastSquares(), Wasserstein()])
def test_generator_loss_falls_with_logit(loss):
    assert gradient_at(loss, 0.3) < 0


@pytest.mark.parametrize(
    "loss", [NonSaturating, Saturating, TwoClass, Hinge, LeastSquares, Wasserstein, Relativistic, Cramer]
)
def test_losses_share_one_signature(loss):
    assert list(inspect.signature(loss.discriminator).parameters) == ["self", "d_real", "d_fake"]
    generator = inspect.signature(loss.generator).parameters
    assert list(generator) == ["self", "d_fake", "d_real"]
    assert generator["d_real"].default is None
    assert getattr(loss, "generator_needs_real", False) == (loss in (Cramer, Relativistic))


@pytest.mark.parametrize("loss", [NonSaturating(), Saturating(), Hinge(), LeastSquares(), Wasserstein()])
def test_generator_loss_ignores_real_outputs(loss):
    assert loss.generator(FAKE, REAL) == loss.generator(FAKE)


def test_weight_clipping_clamps_every_parameter():
    network = Linear(20, 20)
    inside = network.weight.detach().clone().clamp(-0.01, 0.01)
    WeightClipping(0.01)(network)
    assert torch.equal(network.weight, inside)
    assert network.bias.abs().max() <= 0.01


def test_weight_clipping_leaves_fixed_weights_unchanged():
    network = Linear(20, 20)
    network.weight.requires_grad_(False)
    before = network.weight.clone()
    WeightClipping(0.01)(network)
    assert torch.equal(network.weight, before)
    assert network.bias.abs().max() <= 0.01


def test_weight_clipping_rejects_zero_limit():
    node = {"_target_": "ganexp.losses.WeightClipping", "limit": 0.0}
    with pytest.raises(UserError, match=r"loss.constraint.limit=0.0: must be a number above 0"):
        instantiate(node, "loss.constraint")


@pytest.mark.parametrize("loss", [NonSaturating, Saturating])
def test_label_smoothing_changes_only_real_term(loss):
    smooth = loss(real_target=0.9)
    expected = -sum(0.9 * math.log(sigmoid(x)) + 0.1 * math.log(1 - sigmoid(x)) for x in REAL.tolist()) / 2
    terms, plain = smooth.discriminator(REAL, FAKE), loss().discriminator(REAL, FAKE)
    assert terms["real"].item() == pytest.approx(expected, rel=1e-5)
    assert terms["fake"] == plain["fake"]
    assert smooth.generator(FAKE) == loss().generator(FAKE)


def test_two_class_smoothing_equals_logistic_smoothing():
    """The softmax of the two logits (0, l) gives the second class the probability sigmoid(l)."""
    real, fake = (torch.stack([torch.zeros(2), logits], 1) for logits in (REAL, FAKE))
    for target in (0.9, 1.0, 1.2):
        two_class, logistic = TwoClass(real_target=target), NonSaturating(real_target=target)
        terms, expected = two_class.discriminator(real, fake), logistic.discriminator(REAL, FAKE)
        assert {name: term.item() for name, term in terms.items()} == pytest.approx(
            {name: term.item() for name, term in expected.items()}, rel=1e-5
        )
        assert two_class.generator(fake) == TwoClass().generator(fake)


@pytest.mark.parametrize("kind", [NonSaturating, TwoClass])
def test_real_targets_are_drawn_for_every_image(kind):
    loss, logits = kind(real_target=[0.8, 1.2]), torch.full((20_000,), 2.0, requires_grad=True)
    outputs = logits if kind is NonSaturating else torch.stack([torch.zeros(20_000), logits], 1)
    torch.manual_seed(0)
    value = loss.discriminator(outputs, outputs)["real"]
    (slope,) = torch.autograd.grad(value, logits)
    targets = sigmoid(2.0) - slope * len(logits)  # the derivative at the logit l is σ(l) - target
    assert 0.8 <= targets.min() < 0.801
    assert 1.199 < targets.max() <= 1.2001
    assert targets.mean().item() == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize("kind", ["NonSaturating", "TwoClass"])
@pytest.mark.parametrize("target", [0.0, -1.0, [1.2, 0.8], [0.9], [], [0.0, 1.0], [0.8, 0.9, 1.0]])
def test_invalid_real_target_is_rejected(kind, target):
    with pytest.raises(UserError, match=r"loss.adversarial.*real_target="):
        instantiate({"_target_": f"ganexp.losses.{kind}", "real_target": target}, "loss.adversarial")


@pytest.mark.parametrize("loss", [NonSaturating, Saturating])
@pytest.mark.parametrize("target", [1.2, [0.7, 1.2]])
def test_targets_above_1_are_refused_for_probabilities(loss, target):
    with pytest.raises(ValueError, match=r"above 1 need loss\.probabilities=false"):
        loss(target, probabilities=True)
    assert loss(target).discriminator(REAL, FAKE)["real"].isfinite()


@pytest.mark.parametrize("loss", [NonSaturating, Saturating])
def test_probabilities_equal_torch_bce_loss(loss):
    bce, p_real, p_fake = torch.nn.BCELoss(), REAL.sigmoid(), FAKE.sigmoid()
    terms = loss(probabilities=True).discriminator(REAL, FAKE)
    assert terms["real"] == bce(p_real, torch.ones(2))
    assert terms["fake"] == bce(p_fake, torch.zeros(2))
    for logits in (REAL, FAKE):
        from_probabilities, from_logits = loss(probabilities=True).generator(logits), loss().generator(logits)
        assert from_probabilities["adversarial"].item() == pytest.approx(from_logits["adversarial"].item(), rel=1e-5)


def test_probabilities_are_clamped_where_sigmoid_is_one():
    loss, high = Saturating(probabilities=True), torch.tensor([20.0])
    assert loss.discriminator(high, high)["fake"] == 100
    assert NonSaturating(probabilities=True).discriminator(high, high)["fake"] == 100
    assert gradient_at(Saturating(), 40.0) == pytest.approx(-1)
    assert gradient_at(loss, 40.0) == 0
