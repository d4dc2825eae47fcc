"""The self-attention layer, compared with plain torch functions, and its place among the blocks of a network."""

import pytest
import torch
from helpers.networks import assert_agrees, conv, noise, randomise
from torch import nn
from torch.nn import functional as F

from ganexp.models.attention import SelfAttention, insert_attention
from ganexp.models.layer_factory import LayerFactory

PLAIN = LayerFactory("none", "default")


def reference_attention(x, layer):
    queries = conv(x, layer.query).flatten(2)
    keys, values = (F.max_pool2d(conv(x, part), 2).flatten(2) for part in (layer.key, layer.value))
    scores = torch.einsum("ncq,nck->nqk", queries, keys).exp()
    weights = scores / scores.sum(2, keepdim=True)  # softmax over the keys
    attended = torch.einsum("nqk,nck->ncq", weights, values).reshape(len(x), -1, *x.shape[2:])
    return x + layer.gamma * conv(attended, layer.out)


def test_attention_starts_as_identity():
    layer, x = SelfAttention(16, PLAIN), torch.randn(2, 16, 6, 8)
    assert torch.equal(layer(x), x)


def test_attention_map_rows_sum_to_one():
    weights = SelfAttention(16, PLAIN).attention_map(torch.randn(2, 16, 6, 8))
    assert weights.shape == (2, 48, 12)
    assert torch.allclose(weights.sum(2), torch.ones(2, 48))


def test_attention_of_equal_keys_is_the_mean_of_values():
    layer, x = SelfAttention(16, PLAIN), torch.randn(2, 16, 6, 8)
    with torch.no_grad():
        layer.gamma.fill_(0.5)
        layer.query.weight.zero_()
        layer.query.bias.zero_()
    values = F.max_pool2d(layer.value(x), 2).mean((2, 3), keepdim=True).expand(-1, -1, 6, 8)
    assert torch.allclose(layer(x), x + 0.5 * layer.out(values), atol=1e-6)


def test_attention_matches_reference():
    layer = randomise(SelfAttention(16, PLAIN))
    shapes = [tuple(part.weight.shape[:2]) for part in (layer.query, layer.key, layer.value, layer.out)]
    assert shapes == [(2, 16), (2, 16), (8, 16), (16, 8)]
    x = noise(16, 4, 6)
    assert_agrees(layer(x), reference_attention(x, layer))
    assert not torch.allclose(layer(x), x, atol=0.1)


def test_insert_attention_follows_the_first_map_of_the_side():
    blocks = [nn.Identity() for _ in range(3)]
    stack = insert_attention(blocks, [8, 4, 4], [8, 16, 32], 4, PLAIN)
    assert [type(module) for module in stack] == [nn.Identity, nn.Identity, SelfAttention, nn.Identity]
    assert stack[2].query.in_channels == 16


def test_insert_attention_null_changes_nothing():
    blocks = [nn.Identity(), nn.Identity()]
    assert list(insert_attention(blocks, [8, 4], [8, 16], None, PLAIN)) == blocks


def test_insert_attention_names_the_sides():
    with pytest.raises(ValueError, match=r"attention=9: no feature map has this height and width. Use one of 4, 8$"):
        insert_attention([nn.Identity()] * 4, [8, 4, 4, 1], [8, 16, 16, 16], 9, PLAIN)
    with pytest.raises(ValueError, match=r"attention=1: self-attention needs several positions. Use one of 4, 8$"):
        insert_attention([nn.Identity()] * 4, [8, 4, 4, 1], [8, 16, 16, 16], 1, PLAIN)


def test_insert_attention_refuses_narrow_maps():
    with pytest.raises(ValueError, match=r"attention=8: the feature map of this height has 4 channels, but"):
        insert_attention([nn.Identity()], [8], [4], 8, PLAIN)
