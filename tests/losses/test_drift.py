"""The drift term, compared with its formula."""

import pytest
import torch

from ganexp.losses.drift import Drift


def test_drift_is_the_mean_square_at_real_images():
    torch.manual_seed(0)
    d_real, d_fake = torch.randn(2, 6, dtype=torch.double)
    value = Drift(0.25).of_outputs(d_real + 5, d_fake)
    assert value.item() == pytest.approx(0.25 * sum((output + 5) ** 2 for output in d_real.tolist()) / 6, rel=1e-12)


def test_drift_has_the_gradient_of_the_formula():
    """The derivative of weight · E[(a + b)²] with respect to b is 2 · weight · E[a + b]."""
    offset = torch.tensor(3.0, dtype=torch.double, requires_grad=True)
    outputs = torch.arange(4.0, dtype=torch.double)
    Drift(0.001).of_outputs(outputs + offset, outputs).backward()
    assert offset.grad.item() == pytest.approx(2 * 0.001 * (1.5 + 3.0), rel=1e-12)
