"""Residual networks: published counts, attention, conditional norm, spectral norm right and wrong."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from ganexp.models import resnet
from ganexp.models.spectral import spectral_norm

G = {
    32: {"widths": [256] * 4, "norm_last": True},
    48: {"widths": [512, 256, 128, 64]},
    96: {"widths": [1024, 1024, 512, 256, 128, 64]},
}
D = {
    32: {"widths": [128] * 4, "halvings": 2},
    48: {"widths": [64, 128, 256, 512, 1024], "halvings": 4},
    96: {"widths": [64, 128, 256, 512, 1024, 1024], "halvings": 5, "norm_last": False},
}
ATTENTION = {32: 8, 48: 12, 96: 24}
PLAIN = resnet.Layers("none", "default")


def count(network):
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("side", "classes", "attention", "g_count", "d_count"),
    [
        (32, 0, False, 4_276_739, 1_053_825),
        (32, 0, True, 4_359_108, 1_074_530),
        (32, 10, False, 4_308_995, 1_055_105),
        (32, 10, True, 4_391_364, 1_075_810),
        (48, 0, False, 4_878_083, 19_542_721),
        (48, 0, True, 4_960_452, 19_563_426),
        (48, 10, False, 4_903_427, 19_552_961),
        (48, 10, True, 4_985_796, 19_573_666),
        (96, 176, True, 33_055_684, 38_620_066),
        (96, 102, True, 32_316_868, 38_544_290),
    ],
)
def test_published_counts(side, classes, attention, g_count, d_count):
    shared = {"num_classes": classes, "spectral_norm": "persistent"}
    shared["attention"] = ATTENTION[side] if attention else None
    assert count(resnet.Generator(128, side, 3, **G[side], **shared)) == g_count
    assert count(resnet.Discriminator(side, 3, **D[side], **shared)) == d_count


@pytest.mark.parametrize("classes", [0, 5])
def test_shapes_at_other_sides(classes):
    labels = torch.arange(2) if classes else None
    g = resnet.Generator(16, 24, 1, [16, 16, 8], classes, attention=12)
    d = resnet.Discriminator(24, 1, [16, 16, 16], 2, classes, attention=6)
    images = g(torch.randn(2, 16), labels)
    assert images.shape == (2, 1, 24, 24)
    assert d(images, labels).shape == (2,)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="no multiple of 8"):
        resnet.Generator(16, 28, 1, [8] * 4)
    with pytest.raises(ValueError, match=r"attention=9: no map has that side, use one of 8, 16, 32"):
        resnet.Generator(16, 32, 1, [8] * 4, attention=9)
    with pytest.raises(ValueError, match="halvings=4"):
        resnet.Discriminator(24, 1, [8] * 4, halvings=4)
    with pytest.raises(ValueError, match="spectral_norm=half"):
        resnet.Discriminator(24, 1, [8] * 2, 2, spectral_norm="half")


def test_attention_starts_as_the_identity_and_its_rows_sum_to_one():
    layer, x = resnet.SelfAttention(16, PLAIN), torch.randn(2, 16, 6, 8)
    assert torch.equal(layer(x), x)
    weights = layer.attention(x)
    assert weights.shape == (2, 48, 12)
    assert torch.allclose(weights.sum(2), torch.ones(2, 48))
    with torch.no_grad():
        layer.gamma.fill_(0.5)
        layer.query.weight.zero_()
        layer.query.bias.zero_()  # every key alike: the mean of the pooled values everywhere
    values = nn.functional.max_pool2d(layer.value(x), 2).mean((2, 3), keepdim=True).expand(-1, -1, 6, 8)
    assert torch.allclose(layer(x), x + 0.5 * layer.out(values), atol=1e-6)


def test_conditional_norm_follows_the_label():
    layer = resnet.ConditionalNorm(3, 2)
    x, labels = torch.randn(8, 3, 4, 4), torch.tensor([0, 1] * 4)
    normed = nn.functional.batch_norm(x, None, None, training=True, eps=1e-4)
    scale, offset = layer.scale.weight[labels][..., None, None], layer.offset.weight[labels][..., None, None]
    assert torch.allclose(layer(x, labels), normed * (1 + scale) + offset, atol=1e-6)


@pytest.mark.parametrize(("init", "limit"), [("xavier", (6 / 74) ** 0.5), ("default", 0.1**0.5)])
def test_conditional_norm_starts_as_xavier_or_as_a_linear_layer(init, limit):
    torch.manual_seed(0)
    layer = resnet.ConditionalNorm(64, 10, init)
    for embedding in (layer.scale, layer.offset):
        assert embedding.weight.abs().max() <= limit
        assert embedding.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.1)


def test_the_raw_image_meets_no_relu():
    block = resnet.FirstDownBlock(3, 8, PLAIN)
    x = -torch.rand(1, 3, 8, 8)
    assert not torch.allclose(block(x), block(torch.zeros_like(x)))


@pytest.mark.parametrize("kind", ["none", "persistent"])
def test_xavier_weights(kind):
    """Gain √2 in the residual branches, 1 elsewhere, biases 0: the variance is 2·gain²/(inputs + outputs)."""
    torch.manual_seed(0)
    g = resnet.Generator(64, 16, 3, [64, 64, 64], spectral_norm=kind, init="xavier")
    d = resnet.Discriminator(16, 3, [64, 64, 64], 2, num_classes=50, spectral_norm=kind, init="xavier")
    for name, layer in [*g.named_modules(), *d.named_modules()]:
        if not isinstance(layer, (nn.Conv2d, nn.Linear)):
            continue
        weight = layer.weight if kind == "none" else layer.parametrizations.weight.original
        area = weight[0, 0].numel()
        gain = 2**0.5 if name.endswith(("conv1", "conv2")) else 1
        limit = gain * (6 / (area * (weight.shape[0] + weight.shape[1]))) ** 0.5
        assert weight.abs().max() <= limit
        if weight.numel() > 1000:
            assert weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.05), name
        assert layer.bias is None or not layer.bias.any(), name
    with pytest.raises(ValueError, match="init=glorot: use xavier or default"):
        resnet.Generator(8, 8, 1, [8, 8], init="glorot")


def norm(weight):
    return torch.linalg.matrix_norm(weight.detach().flatten(1), 2).item()


def test_persistent_spectral_norm_bounds_the_layer_and_fixed_u_does_not():
    torch.manual_seed(0)
    right, wrong = (spectral_norm(nn.Linear(96, 96), kind) for kind in ("persistent", "fixed_u"))
    start = norm(wrong.weight)
    for _ in range(300):
        right(torch.randn(1, 96))
        wrong(torch.randn(1, 96))
    assert norm(right.weight) == pytest.approx(1, abs=0.01)
    assert norm(wrong.weight) == pytest.approx(start)
    assert 1.1 < start < 1.6


@pytest.mark.parametrize("kind", ["persistent", "fixed_u"])
def test_spectral_norm_is_exact_in_mixed_precision(kind):
    torch.manual_seed(0)
    layer = spectral_norm(nn.Linear(96, 96), kind).eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer.weight.dtype == torch.float32
        mixed = layer.weight
    assert torch.equal(layer.weight, mixed)


def test_persistent_is_torchs():
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 5, 3)
    theirs = nn.utils.parametrizations.spectral_norm(deepcopy(layer))
    ours = spectral_norm(layer, "persistent")
    ours.load_state_dict(theirs.state_dict())
    for _ in range(3):
        assert torch.equal(ours.weight, theirs.weight)


def test_fixed_u_formula():
    layer = spectral_norm(nn.Conv2d(3, 5, 3), "fixed_u")
    u0 = layer.parametrizations.weight[0].u
    w = layer.parametrizations.weight.original
    matrix = w.flatten(1)
    sigma = (matrix @ (matrix.T @ u0)).norm() / (matrix.T @ u0).norm()
    assert torch.allclose(layer.weight, w / sigma, rtol=1e-5)
