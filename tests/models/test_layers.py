"""Layers that several networks use."""

import pytest
import torch
from torch import nn

from ganexp.models.layers import ConditionalNorm, InertBatchNorm, append_label_code, init_normal


def test_inert_batch_norm_never_uses_statistics():
    layer = InertBatchNorm(3, eps=1e-3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        layer.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    x = torch.randn(7, 3)
    assert torch.allclose(layer.train()(x), x * layer.weight / 1.001**0.5 + layer.bias)
    assert torch.equal(layer.running_mean, torch.zeros(3))
    assert torch.equal(layer.eval()(x), layer.train()(x))


def test_conditional_norm_follows_the_label():
    layer = ConditionalNorm(3, 2)
    x, labels = torch.randn(8, 3, 4, 4), torch.tensor([0, 1] * 4)
    normalised = nn.functional.batch_norm(x, None, None, training=True, eps=1e-4)
    scale, offset = layer.scale.weight[labels][..., None, None], layer.offset.weight[labels][..., None, None]
    assert torch.allclose(layer(x, labels), normalised * (1 + scale) + offset, atol=1e-6)


def test_conditional_norm_without_classes_is_batch_norm():
    x = torch.randn(8, 3, 4, 4)
    assert torch.equal(ConditionalNorm(3, 0)(x), nn.BatchNorm2d(3)(x))


def test_label_code_without_labels_is_refused():
    with pytest.raises(ValueError, match=r"labels=None: the network has 10 classes"):
        append_label_code(torch.zeros(2, 4), None, 10)


@pytest.mark.parametrize(("init", "limit"), [("xavier", (6 / 74) ** 0.5), ("default", 0.1**0.5)])
def test_conditional_norm_initial_weights(init, limit):
    torch.manual_seed(0)
    layer = ConditionalNorm(64, 10, init)
    for embedding in (layer.scale, layer.offset):
        assert embedding.weight.abs().max() <= limit
        assert embedding.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.1)


@pytest.mark.parametrize(
    ("label_code", "codes"),
    [("one_hot", [[0, 0, 1, 0], [1, 0, 0, 0]]), ("plus_minus", [[-1, -1, 1, -1], [1, -1, -1, -1]])],
)
def test_label_code_follows_the_latent(label_code, codes):
    z = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    coded = append_label_code(z, torch.tensor([2, 0]), 4, label_code)
    assert torch.equal(coded, torch.cat([z, torch.tensor(codes, dtype=torch.float)], 1))


def test_label_code_without_classes_is_the_latent():
    z = torch.randn(2, 3)
    assert append_label_code(z, None, 0) is z


def test_init_normal_covers_weights_and_biases():
    torch.manual_seed(0)
    layers = [nn.Conv2d(8, 16, 3), nn.ConvTranspose2d(8, 16, 3), nn.Linear(40, 40), nn.Embedding(40, 40)]
    init_normal(nn.Sequential(*layers), 0.02)
    for layer in layers:
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
        assert isinstance(layer, nn.Embedding) or not layer.bias.any()
