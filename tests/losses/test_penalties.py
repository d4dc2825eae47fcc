"""Gradient penalties, compared with closed forms, with finite differences, and with their values outside autocast."""

import pytest
import torch
from torch import nn

from ganexp.config.instantiate import instantiate
from ganexp.errors import UserError
from ganexp.losses import R1, R2, Dragan, GradientPenalty
from ganexp.losses.penalties import interpolate, to_float32

SHAPE = (5, 3, 4, 4)


def linear_critic(norm):
    """Return the critic D(x) = <w, x> with ‖w‖ = norm."""
    w = torch.randn(SHAPE[1:], generator=torch.Generator().manual_seed(0))
    w *= norm / w.norm()
    return lambda images, labels: (images * w).flatten(1).sum(1)


def quadratic_critic(images, labels):
    """Return D(x) = ‖x‖², whose gradient is 2x."""
    return images.flatten(1).square().sum(1)


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(SHAPE, generator=generator), torch.randn(SHAPE, generator=generator)


def unlabelled(penalty, critic, images):
    real, fake = images
    return penalty(critic, real, None, fake, None)


@pytest.mark.parametrize(
    ("penalty", "norm", "value"),
    [
        (GradientPenalty(10.0), 1.0, 0.0),
        (GradientPenalty(10.0), 3.0, 10 * (3 - 1) ** 2),
        (GradientPenalty(10.0, epsilon="per_element"), 3.0, 40.0),
        (GradientPenalty(10.0), 0.0, 10.0),
        (GradientPenalty(2.0, center=0.0), 3.0, 2 * 9),
        (R1(10.0), 3.0, 5 * 9),
        (R2(10.0), 3.0, 5 * 9),
        (Dragan(10.0, 0.5), 3.0, 40.0),
    ],
)
def test_penalty_of_linear_critic_equals_closed_form(penalty, norm, value, images):
    assert unlabelled(penalty, linear_critic(norm), images).item() == pytest.approx(value, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("penalty", "kind"), [(R1(4.0), 0), (R2(4.0), 1)], ids=["r1 real", "r2 fake"])
def test_r1_and_r2_depend_on_one_kind_of_images_with_its_labels(penalty, kind, images):
    factors = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 1.0, 2.0, 3.0, 4.0]])
    value = penalty(lambda x, factor: factor * quadratic_critic(x, None), images[0], factors[0], images[1], factors[1])
    expected = 0.5 * 4.0 * (factors[kind] ** 2 * (2 * images[kind]).flatten(1).square().sum(1)).mean()
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)


def test_gradient_penalty_interpolates_real_and_fake(images):
    real, fake = images
    torch.manual_seed(3)
    value = unlabelled(GradientPenalty(10.0), quadratic_critic, images)
    torch.manual_seed(3)
    epsilon = torch.rand(SHAPE[0], 1, 1, 1)
    norms = 2 * (epsilon * real + (1 - epsilon) * fake).flatten(1).norm(dim=1)
    assert value.item() == pytest.approx(10 * (norms - 1).square().mean().item(), rel=1e-5)


@pytest.mark.parametrize("perturbation", ["normal", "one_sided"])
def test_dragan_takes_the_gradient_at_perturbed_real_images(perturbation, images):
    real = images[0].double()
    torch.manual_seed(3)
    value = unlabelled(Dragan(10.0, 0.5, perturbation), quadratic_critic, (real, images[1]))
    torch.manual_seed(3)
    if perturbation == "normal":
        deviation = (real - real.mean()).square().mean().sqrt()
        noise = torch.randn(SHAPE, dtype=torch.double)
    else:
        deviation = (real - real.mean(0)).square().mean(0).sqrt()
        noise = torch.rand(SHAPE, dtype=torch.double)
    norms = 2 * (real + 0.5 * deviation * noise).flatten(1).norm(dim=1)
    assert value.item() == pytest.approx(10 * (norms - 1).square().mean().item())


def test_dragan_one_sided_perturbation_is_never_negative(images):
    real, _ = images
    changes = {name: Dragan(10.0, 0.5, name).perturb(real) - real for name in ("normal", "one_sided")}
    assert (changes["normal"] < 0).float().mean() == pytest.approx(0.5, abs=0.1)
    assert changes["one_sided"].min() >= 0


def test_interpolation_per_sample_and_per_element():
    real, fake = torch.ones(SHAPE), torch.zeros(SHAPE)
    line = interpolate(real, fake, "per_sample").flatten(1)
    assert torch.equal(line, line[:, :1].expand_as(line))
    assert line[:, 0].unique().numel() == SHAPE[0]
    box = interpolate(real, fake, "per_element")
    assert box.unique().numel() == box.numel()
    for mixed in (line, box):
        assert mixed.min() >= 0
        assert mixed.max() <= 1


PENALTIES = [GradientPenalty(10.0), GradientPenalty(10.0, center=0.0), R1(10.0), Dragan(10.0, 0.5)]


@pytest.mark.parametrize("penalty", PENALTIES)
def test_weight_gradient_equals_finite_differences(penalty, images):
    real, fake = (x.double() for x in images)
    torch.manual_seed(3)
    critic = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 1)).double()

    def value(weight):
        def call(x, labels):
            return torch.func.functional_call(critic, {"0.weight": weight}, x).squeeze(1)

        torch.manual_seed(7)  # every call draws the same random numbers
        return penalty(call, real, None, fake, None)

    assert torch.autograd.gradcheck(value, critic[0].weight.detach().clone().requires_grad_(), fast_mode=True)


def test_penalty_is_float32_under_autocast(images):
    layers = nn.Sequential(nn.Flatten(), nn.Linear(48, 64), nn.Tanh(), nn.Linear(64, 1))

    def critic(x, labels):
        return layers(x).squeeze(1)

    torch.manual_seed(0)
    exact = unlabelled(GradientPenalty(10.0), critic, images)
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = unlabelled(GradientPenalty(10.0), critic, images)
    assert cast.dtype == torch.float32
    assert torch.equal(cast, exact)


@pytest.mark.parametrize(
    ("given", "returned"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_to_float32_converts_half_precision_only(given, returned):
    assert to_float32(torch.ones(2, dtype=given)).dtype == returned


def test_constant_critic_has_finite_gradient(images):
    weight = torch.zeros(SHAPE[1:], requires_grad=True)
    value = unlabelled(GradientPenalty(10.0), lambda x, labels: (x * weight).flatten(1).sum(1), images)
    (gradient,) = torch.autograd.grad(value, weight)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("penalty", [GradientPenalty(10.0), R1(10.0), Dragan(10.0, 0.5)])
def test_critic_receives_labels_of_real_images(penalty, images):
    received = []

    def critic(x, labels):
        received.append(labels)
        return x.flatten(1).sum(1)

    real, fake = images
    real_labels = torch.arange(5)
    penalty(critic, real, real_labels, fake, torch.arange(5))
    assert len(received) == 1
    assert received[0] is real_labels


def test_unknown_epsilon_is_rejected():
    node = {"_target_": "ganexp.losses.GradientPenalty", "weight": 10.0, "epsilon": "per_pixel"}
    with pytest.raises(UserError, match=r"gp.epsilon=per_pixel: must be one of per_sample, per_element"):
        instantiate(node, "gp")
