"""Pixel norm, compared with its formula."""

import pytest
import torch

from ganexp.models.pixel_norm import PixelNorm


@pytest.mark.parametrize("shape", [(3, 6), (2, 6, 4, 5)])
def test_features_are_divided_by_their_root_mean_square(shape):
    torch.manual_seed(0)
    x = 3 * torch.randn(shape, dtype=torch.double)
    expected = torch.empty_like(x)
    for place in torch.cartesian_prod(*(torch.arange(n) for n in (shape[0], *shape[2:]))).reshape(-1, len(shape) - 1):
        image, *pixel = place.tolist()
        vector = x[(image, slice(None), *pixel)]
        expected[(image, slice(None), *pixel)] = vector / ((vector**2).sum() / shape[1] + 1e-8) ** 0.5
    assert torch.allclose(PixelNorm()(x), expected, rtol=1e-12)


def test_normalised_latent_has_length_root_d():
    z = torch.randn(4, 512, dtype=torch.double)
    assert PixelNorm()(z).norm(dim=1).tolist() == pytest.approx([512**0.5] * 4, rel=1e-7)


def test_zero_features_have_a_finite_gradient():
    x = torch.zeros(1, 3, requires_grad=True)
    PixelNorm()(x).sum().backward()
    assert x.grad.isfinite().all()
