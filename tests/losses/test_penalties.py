"""Gradient penalties against closed forms, finite differences, and themselves under autocast."""

import pytest
import torch
from torch import nn

from ganexp.losses import R1, GradientPenalty
from ganexp.losses.penalties import interpolate

SHAPE = (5, 3, 4, 4)


def linear_critic(norm):
    """D(x) = <w, x> with ‖w‖ = norm."""
    w = torch.randn(SHAPE[1:], generator=torch.Generator().manual_seed(0))
    w *= norm / w.norm()
    return lambda images, labels: (images * w).flatten(1).sum(1)


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(SHAPE, generator=generator), torch.randn(SHAPE, generator=generator)


@pytest.mark.parametrize(
    ("penalty", "norm", "value"),
    [
        (GradientPenalty(10.0), 1.0, 0.0),
        (GradientPenalty(10.0), 3.0, 10 * (3 - 1) ** 2),
        (GradientPenalty(10.0, epsilon="per_element"), 3.0, 40.0),
        (GradientPenalty(10.0), 0.0, 10.0),
        (GradientPenalty(2.0, center=0.0), 3.0, 2 * 9),
        (R1(10.0), 3.0, 5 * 9),
    ],
)
def test_linear_critic(penalty, norm, value, images):
    assert penalty(linear_critic(norm), *images, None).item() == pytest.approx(value, rel=1e-5, abs=1e-6)


def test_r1_looks_at_real_images_alone(images):
    real, fake = images
    critic = lambda x, labels: x.flatten(1).square().sum(1)  # gradient 2x  # noqa: E731
    expected = 0.5 * 4.0 * (2 * real).flatten(1).square().sum(1).mean()
    assert R1(4.0)(critic, real, fake, None).item() == pytest.approx(expected.item(), rel=1e-5)


def test_per_sample_stays_on_the_line_and_per_element_fills_the_box():
    real, fake = torch.ones(SHAPE), torch.zeros(SHAPE)
    line = interpolate(real, fake, "per_sample").flatten(1)
    assert torch.equal(line, line[:, :1].expand_as(line))
    assert line[:, 0].unique().numel() == SHAPE[0]
    box = interpolate(real, fake, "per_element")
    assert box.unique().numel() == box.numel()
    for mixed in (line, box):
        assert mixed.min() >= 0
        assert mixed.max() <= 1


@pytest.mark.parametrize("penalty", [GradientPenalty(10.0), GradientPenalty(10.0, center=0.0), R1(10.0)])
def test_weight_gradient_equals_finite_differences(penalty, images):
    real, fake = (x.double() for x in images)
    torch.manual_seed(3)
    critic = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 1)).double()

    def value(weight):
        torch.manual_seed(7)  # the same epsilon each time
        call = lambda x, labels: torch.func.functional_call(critic, {"0.weight": weight}, x).squeeze(1)  # noqa: E731
        return penalty(call, real, fake, None)

    assert torch.autograd.gradcheck(value, critic[0].weight.detach().clone().requires_grad_(), fast_mode=True)


def test_full_precision_under_autocast(images):
    critic_layers = nn.Sequential(nn.Flatten(), nn.Linear(48, 64), nn.Tanh(), nn.Linear(64, 1))
    critic = lambda x, labels: critic_layers(x).squeeze(1)  # noqa: E731
    torch.manual_seed(0)
    exact = GradientPenalty(10.0)(critic, *images, None)
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = GradientPenalty(10.0)(critic, *images, None)
    assert cast.dtype == torch.float32
    assert torch.equal(cast, exact)


def test_constant_critic_gives_a_finite_gradient(images):
    weight = torch.zeros(SHAPE[1:], requires_grad=True)
    value = GradientPenalty(10.0)(lambda x, labels: (x * weight).flatten(1).sum(1), *images, None)
    (gradient,) = torch.autograd.grad(value, weight)
    assert gradient.isfinite().all()


def test_labels_reach_the_critic(images):
    seen = []

    def critic(x, labels):
        seen.append(labels)
        return x.flatten(1).sum(1)

    labels = torch.arange(5)
    GradientPenalty(10.0)(critic, *images, labels)
    assert seen[0] is labels


def test_unknown_epsilon():
    with pytest.raises(ValueError, match="per_sample or per_element"):
        GradientPenalty(10.0, epsilon="per_pixel")
