"""Networks that grow: the level at each stage, and the resizing of images between a stage's size and full size."""

import pytest
import torch
from torch.nn import functional as F

from ganexp.losses.penalties import GradientPenalty
from ganexp.models.growing import Growing, blend, enlarge, shrink


@pytest.mark.parametrize(
    ("stage", "level", "share"),
    [
        (0.0, 0, 1.0),
        (0.9, 0, 1.0),
        (1.0, 1, 0.0),
        (1.25, 1, 0.25),
        (2.0, 1, 1.0),
        (2.5, 1, 1.0),
        (3.75, 2, 0.75),
        (4.0, 2, 1.0),
        (5.5, 3, 0.5),
        (6.0, 3, 1.0),
        (6.5, 3, 1.0),
        (7.5, 3, 1.0),
        (16.0, 3, 1.0),
    ],
)
def test_level_and_share_of_a_stage(stage, level, share):
    network = Growing(doublings=3)
    network.set_stage(stage)
    assert network.level() == (level, share)
    assert network.scale(level) == 8 / 2**level


def test_network_has_full_size_until_it_is_told_a_stage():
    network = Growing(doublings=3)
    assert network.level() == (3, 1.0)
    assert network.scale(3) == 1


def test_stage_is_part_of_the_state():
    trained, loaded = Growing(3), Growing(3)
    trained.set_stage(10 / 3)
    loaded.load_state_dict(trained.state_dict())
    assert loaded.stage == 10 / 3


def test_shrinking_undoes_enlarging():
    small = torch.randn(2, 3, 4, 4, dtype=torch.double)
    large = enlarge(small, 8)
    assert torch.equal(large, small.repeat_interleave(8, 2).repeat_interleave(8, 3))
    assert torch.allclose(shrink(large, 8), small, rtol=1e-12)


def test_blend_mixes_an_image_with_half_its_size():
    torch.manual_seed(0)
    images = torch.randn(2, 3, 8, 8, dtype=torch.double)
    means = images.unflatten(2, (4, 2)).unflatten(4, (4, 2)).mean((3, 5))  # the means of blocks of 2x2 pixels
    expected = 0.3 * images + 0.7 * means.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(blend(images, 0.3), expected, rtol=1e-12)


def test_gradient_penalty_is_that_of_small_images():
    """A target for the gradient's norm has the same meaning at full size as at the size of the stage."""
    torch.manual_seed(0)
    weight = torch.randn(5, 3, 3, 3, dtype=torch.double)
    small_real, small_fake = torch.randn(2, 4, 3, 4, 4, dtype=torch.double)
    large_real = enlarge(small_real, 4) + _without_mean(torch.randn(4, 3, 4, 4, 4, 4, dtype=torch.double))

    def critic(images, labels=None):
        return F.conv2d(images, weight).tanh().sum((1, 2, 3))

    penalty = GradientPenalty(10.0, center=7.5)
    values = []
    for network, real, fake in (
        (critic, small_real, small_fake),
        (lambda images, labels: critic(shrink(images, 4)), large_real, enlarge(small_fake, 4)),
    ):
        torch.manual_seed(1)  # both penalties then draw the same epsilon
        values.append(penalty(network, real, None, fake, None).item())
    assert values[0] > 1
    assert values[1] == pytest.approx(values[0], rel=1e-10)


def _without_mean(blocks):
    """Subtract each block's mean from `blocks` (N, C, h, w, s, s); return the result as images (N, C, h·s, w·s)."""
    noise = blocks - blocks.mean((4, 5), keepdim=True)
    return noise.transpose(3, 4).flatten(4, 5).flatten(2, 3)


def test_generator_learns_as_from_small_images():
    """Enlarging in the generator and then shrinking in the discriminator do not change the generator's gradient."""
    torch.manual_seed(0)
    small = torch.randn(2, 1, 4, 4, dtype=torch.double, requires_grad=True)
    weights = torch.randn(2, 1, 4, 4, dtype=torch.double)
    (weights * shrink(enlarge(small, 8), 8)).sum().backward()
    assert torch.allclose(small.grad, weights, rtol=1e-12)


def test_shrinking_has_second_order_gradients():
    large = torch.randn(1, 1, 4, 4, dtype=torch.double, requires_grad=True)
    (gradient,) = torch.autograd.grad(shrink(large, 2).pow(3).sum(), large, create_graph=True)
    norm = gradient.square().sum()
    (second,) = torch.autograd.grad(norm, large)
    small = large.detach().unflatten(2, (2, 2)).unflatten(4, (2, 2)).mean((3, 5))
    assert norm.item() == pytest.approx((3 * small**2).square().sum().item(), rel=1e-12)
    # The derivative of 9·small⁴, multiplied by 2/4, which is the factor in the gradient of `shrink`.
    expected = (36 * small**3 * 2 / 4).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(second, expected, rtol=1e-10)
