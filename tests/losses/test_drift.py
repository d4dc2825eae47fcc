"""The drift term, compared with its formula."""

import pytest
import torch

from ganexp.losses.drift import Drift
from ganexp.losses.penalties import Seen


def drift(weight, d_real, d_fake):
    """Return the drift term of the given outputs."""
    real, fake = (Seen(torch.zeros(len(output), 1, 1, 1), None, output) for output in (d_real, d_fake))
    return Drift(weight).of_outputs(lambda images, labels: torch.full((len(images),), torch.nan), real, fake)


def test_drift_is_the_mean_square_at_real_images():
    torch.manual_seed(0)
    d_real, d_fake = torch.randn(2, 6, dtype=torch.double)
    value = drift(0.25, d_real + 5, d_fake)
    assert value.item() == pytest.approx(0.25 * sum((output + 5) ** 2 for output in d_real.tolist()) / 6, rel=1e-12)


def test_drift_has_the_gradient_of_the_formula():
    """The derivative of weight · E[(a + b)²] with respect to b is 2 · weight · E[a + b]."""
    offset = torch.tensor(3.0, dtype=torch.double, requires_grad=True)
    outputs = torch.arange(4.0, dtype=torch.double)
    drift(0.001, outputs + offset, outputs).backward()
    assert offset.grad.item() == pytest.approx(2 * 0.001 * (1.5 + 3.0), rel=1e-12)
