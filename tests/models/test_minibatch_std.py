"""Minibatch standard deviation, compared with its formula."""

import pytest
import torch

from ganexp.models.minibatch_std import MinibatchStd


@pytest.mark.parametrize("shape", [(3, 2, 4), (24,)])
def test_further_channel_is_the_mean_deviation_over_the_batch(shape):
    torch.manual_seed(0)
    x = torch.randn(5, *shape, dtype=torch.double)
    deviations = []
    for feature in x.flatten(1).T.tolist():  # each of the 24 features has one value per image
        mean = sum(feature) / 5
        deviations.append((sum((value - mean) ** 2 for value in feature) / 5 + 1e-8) ** 0.5)
    output = MinibatchStd()(x)
    assert output.shape == (5, shape[0] + 1, *shape[1:])
    assert torch.equal(output[:, :-1], x)
    assert output[:, -1].unique().tolist() == pytest.approx([sum(deviations) / 24], rel=1e-12)


def test_gradient_equals_finite_differences():
    torch.manual_seed(0)
    x = torch.randn(3, 2, 2, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(MinibatchStd(), x)
    assert torch.autograd.gradgradcheck(MinibatchStd(), x)


def test_equal_images_have_a_finite_second_order_gradient():
    x = torch.ones(4, 2, 3, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(MinibatchStd()(x).square().sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert MinibatchStd()(x)[:, 2].unique().item() == pytest.approx(1e-4)
    assert x.grad.isfinite().all()
