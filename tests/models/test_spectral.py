"""Spectral norm, compared with its definition and with torch's spectral norm."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from ganexp.models.spectral import apply_spectral_norm


def norm(weight):
    return torch.linalg.matrix_norm(weight.detach().flatten(1), 2).item()


def test_persistent_bounds_the_layer_and_fixed_u_does_not():
    torch.manual_seed(0)
    persistent, fixed_u = (apply_spectral_norm(nn.Linear(96, 96), kind) for kind in ("persistent", "fixed_u"))
    start = norm(fixed_u.weight)
    for _ in range(300):
        persistent(torch.randn(1, 96))
        fixed_u(torch.randn(1, 96))
    assert norm(persistent.weight) == pytest.approx(1, abs=0.01)
    assert norm(fixed_u.weight) == pytest.approx(start)
    assert 1.1 < start < 1.6


def test_kind_none_leaves_the_weight():
    layer = nn.Linear(3, 4)
    weight = layer.weight
    assert apply_spectral_norm(layer, "none").weight is weight


@pytest.mark.parametrize("kind", ["persistent", "fixed_u"])
def test_spectral_norm_is_exact_under_autocast(kind):
    torch.manual_seed(0)
    layer = apply_spectral_norm(nn.Linear(96, 96), kind).eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer.weight.dtype == torch.float32
        weight_under_autocast = layer.weight
    assert torch.equal(layer.weight, weight_under_autocast)


def test_persistent_equals_torch():
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 5, 3)
    expected = parametrizations.spectral_norm(deepcopy(layer))
    normalised = apply_spectral_norm(layer, "persistent")
    normalised.load_state_dict(expected.state_dict())
    for _ in range(3):
        assert torch.equal(normalised.weight, expected.weight)


def test_torch_spectral_norm_has_private_class():
    """`PersistentSpectralNorm` subclasses a private class of torch: the test fails if torch renames or replaces it."""
    layer = parametrizations.spectral_norm(nn.Linear(3, 3))
    assert type(layer.parametrizations.weight[0]) is parametrizations._SpectralNorm
    assert isinstance(
        apply_spectral_norm(nn.Linear(3, 3), "persistent").parametrizations.weight[0], parametrizations._SpectralNorm
    )


def test_fixed_u_formula():
    layer = apply_spectral_norm(nn.Conv2d(3, 5, 3), "fixed_u")
    u = layer.parametrizations.weight[0].u
    weight = layer.parametrizations.weight.original
    matrix = weight.flatten(1)
    sigma = (matrix @ (matrix.T @ u)).norm() / (matrix.T @ u).norm()
    assert torch.allclose(layer.weight, weight / sigma, rtol=1e-5)


@pytest.mark.parametrize("kind", ["persistent", "fixed_u"])
def test_spectral_norm_can_be_counted_on_the_meta_device(kind):
    with torch.device("meta"):
        layer = apply_spectral_norm(nn.Linear(3, 5), kind)
    assert layer.weight.is_meta
    assert [parameter.shape for parameter in layer.parameters()] == [(5,), (5, 3)]
