"""The Cramér GAN's loss and penalty, compared with the paper's formulas, which are computed sample by sample."""

import pytest
import torch
from torch import nn

from ganexp.losses import Cramer, CramerPenalty
from ganexp.losses.cramer import cramer_critic
from ganexp.losses.penalties import Seen


@pytest.fixture
def vectors():
    torch.manual_seed(0)
    return torch.randn(6, 4), torch.randn(6, 4)


def energy(real, fake):
    """Return E‖x - g‖ + E‖x - g'‖ - E‖g - g'‖.

    Here, g is the generated vector i of the batch, g' is the generated vector i - 1, and x is the real vector i - 2.
    """
    n, total = len(real), 0.0
    for i in range(n):
        x, g, other = real[(i - 2) % n], fake[i], fake[(i - 1) % n]
        total += (x - g).norm() + (x - other).norm() - (g - other).norm()
    return total / n


def surrogate(real, fake):
    """Return E[f(x) - f(g)], which the critic maximises.

    Here, x is a real vector, g is a generated vector, g' is the generated vector before g in the batch, and f(a) is
    ‖a - g'‖ - ‖a‖.
    """
    n, total = len(real), 0.0
    for i in range(n):
        x, g, other = real[i], fake[i], fake[(i - 1) % n]
        total += ((x - other).norm() - x.norm()) - ((g - other).norm() - g.norm())
    return total / n


def test_cramer_equals_closed_form(vectors):
    real, fake = vectors
    terms = Cramer().discriminator(real, fake)
    assert torch.allclose(terms["real"] + terms["fake"], -surrogate(real, fake), atol=1e-6)
    assert torch.allclose(Cramer().generator(fake, real)["adversarial"], energy(real, fake), atol=1e-6)


def test_generator_loss_without_real_outputs_is_rejected(vectors):
    _, fake = vectors
    with pytest.raises(ValueError, match="d_real=None"):
        Cramer().generator(fake)


def test_energy_distance_is_least_for_equal_distributions():
    torch.manual_seed(0)
    real = torch.randn(4000, 4)
    far, near = torch.randn(4000, 4) + 3, torch.randn(4000, 4)
    distance = [Cramer().generator(fake, real)["adversarial"].item() for fake in (far, near)]
    between = torch.cdist(near, near).mean().item()
    assert distance[0] > 1.5 * distance[1]
    assert distance[1] == pytest.approx(between, rel=0.05)  # 2E‖x-g‖ - E‖g-g'‖ = E‖g-g'‖ for equal distributions


def test_energy_distance_is_least_for_equal_distributions_with_equal_labels():
    """Generated and real vectors with the same index have the same class; the classes are far from each other."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randint(2, (20_000, 1), generator=generator) * 6.0 - 3
    real, noise = (torch.randn(20_000, 1, generator=generator) for _ in range(2))
    spreads = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
    losses = {s: Cramer().generator(centres + s * noise, centres + real)["adversarial"].item() for s in spreads}
    assert min(losses, key=losses.get) in (0.75, 1.0, 1.25)
    spread = torch.ones((), requires_grad=True)
    loss = Cramer().generator(centres + spread * noise, centres + real)["adversarial"]
    (slope,) = torch.autograd.grad(loss, spread)
    assert slope.item() == pytest.approx(0, abs=0.05)


def test_critic_gradient_is_finite_at_equal_vectors():
    h = torch.zeros(3, 2, requires_grad=True)
    cramer_critic(h, torch.zeros(3, 2)).sum().backward()
    assert h.grad.isfinite().all()


class Critic(nn.Module):
    """A critic with vector outputs (N, 5) for images (N, 3, 2, 2)."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 5)).double()

    def forward(self, images, labels=None):
        return self.layers(images)


def penalty_of(penalty, critic, real, fake, real_labels=None, fake_labels=None):
    """Compute the critic's outputs on real and on generated images, and return the penalty for these outputs."""
    seen = (
        Seen(images, labels, critic(images, labels)) for images, labels in ((real, real_labels), (fake, fake_labels))
    )
    return penalty.of_outputs(critic, *seen)


def penalty_by_hand(critic, real, fake, epsilon, detach):
    """Return the penalty 10·E[(‖∇f(x̂)‖ - 1)²] at the mixed images x̂, where f(x̂) is ‖h(x̂) - h(G')‖ - ‖h(x̂)‖.

    The critic is h, and G' are the generated images, shifted by one in the batch. h(G') is detached if `detach` is
    true.
    """
    mixed = (epsilon * real + (1 - epsilon) * fake).requires_grad_()
    other = critic(fake).roll(1, 0)
    if detach:
        other = other.detach()
    h = critic(mixed)
    f = (h - other).norm(dim=1) - h.norm(dim=1)
    (slope,) = torch.autograd.grad(f.sum(), mixed, create_graph=True)
    return 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()


def test_penalty_keeps_whole_second_order_term():
    critic = Critic()
    torch.manual_seed(2)
    real, fake = torch.randn(5, 3, 2, 2).double(), torch.randn(5, 3, 2, 2).double()
    torch.manual_seed(3)
    penalty = penalty_of(CramerPenalty(10.0), critic, real, fake)
    torch.manual_seed(3)
    epsilon = torch.rand(5, 1, 1, 1, dtype=torch.float64)
    whole, partial = (penalty_by_hand(critic, real, fake, epsilon, detach) for detach in (False, True))
    slopes = [torch.autograd.grad(value, list(critic.parameters())[:3]) for value in (penalty, whole, partial)]
    assert torch.allclose(penalty, whole)
    assert all(torch.allclose(a, b) for a, b in zip(slopes[0], slopes[1], strict=True))
    assert not torch.allclose(slopes[0][0], slopes[2][0], rtol=1e-3)


def test_penalty_calls_the_critic_once_with_the_labels_of_real_images():
    received = []

    def critic(images, labels):
        received.append(labels)
        return images.flatten(1)

    real, fake = torch.randn(2, 5, 3, 2, 2)
    real_labels, fake_labels = torch.arange(5), torch.arange(5)
    penalty_of(CramerPenalty(10.0), critic, real, fake, real_labels, fake_labels)
    assert received[2] is real_labels  # the labels of the mixed images; `penalty_of` made the two calls before
    assert len(received) == 3


def test_detached_vectors_drop_a_part_of_the_second_order_term():
    """The norm ‖Jᵀ∂f/∂h‖ in the penalty keeps its value, but the gradient of the penalty treats ∂f/∂h as constant.

    Here, h is the critic's vector for a mixed image, J is the Jacobian of h with respect to this image, and f is as in
    `penalty_by_hand`.
    """
    critic = Critic()
    torch.manual_seed(2)
    real, fake = torch.randn(5, 3, 2, 2).double(), torch.randn(5, 3, 2, 2).double()
    slopes, values = [], []
    for detach in (False, True):
        torch.manual_seed(3)
        values.append(penalty_of(CramerPenalty(10.0, detach_vectors=detach), critic, real, fake))
        slopes.append(torch.autograd.grad(values[-1], critic.layers[1].weight)[0])
    torch.manual_seed(3)
    epsilon = torch.rand(5, 1, 1, 1, dtype=torch.float64)
    mixed = (epsilon * real + (1 - epsilon) * fake).requires_grad_()
    h, other = critic(mixed), critic(fake).roll(1, 0)
    df_dh = ((h - other) / (h - other).norm(dim=1, keepdim=True) - h / h.norm(dim=1, keepdim=True)).detach()
    (slope,) = torch.autograd.grad(h, mixed, df_dh, create_graph=True)
    expected = 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
    assert torch.allclose(values[1], values[0])
    assert torch.allclose(values[1], expected)
    assert torch.allclose(slopes[1], torch.autograd.grad(expected, critic.layers[1].weight)[0])
    assert not torch.allclose(slopes[0], slopes[1], rtol=1e-3)
