"""The drift term, compared with its formula."""

import pytest
import torch

from ganexp.losses.drift import Drift


def test_drift_is_the_mean_square_at_real_images():
    torch.manual_seed(0)
    real, fake = torch.randn(2, 6, 1, 2, 2, dtype=torch.double)
    received = []

    def critic(images, labels):
        received.append((images, labels))
        return images.flatten(1).sum(1) + 5

    labels = torch.arange(6)
    value = Drift(0.25)(critic, real, labels, fake, labels + 1)
    expected = sum((image.sum().item() + 5) ** 2 for image in real) / 6 * 0.25
    assert value.item() == pytest.approx(expected, rel=1e-12)
    ((images, given),) = received
    assert images is real
    assert given is labels


def test_drift_has_the_gradient_of_the_formula():
    """The derivative of weight · E[(a + b)²] with respect to b is 2 · weight · E[a + b]."""
    offset = torch.tensor(3.0, dtype=torch.double, requires_grad=True)
    real = torch.arange(4.0, dtype=torch.double).reshape(4, 1, 1, 1)
    Drift(0.001)(lambda images, labels: images.flatten(1).sum(1) + offset, real, None, real, None).backward()
    assert offset.grad.item() == pytest.approx(2 * 0.001 * (1.5 + 3.0), rel=1e-12)
