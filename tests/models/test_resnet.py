"""Residual networks, compared with plain torch functions and published numbers of parameters."""

import pytest
import torch
from helpers.networks import (
    CLASSES,
    assert_agrees,
    conditional_norm,
    conv,
    count_parameters,
    labels_or_none,
    linear,
    noise,
    project_labels,
    randomise,
)
from torch.nn import functional as F

from ganexp.models import resnet
from ganexp.models.attention import SelfAttention
from ganexp.models.layer_factory import LayerFactory
from ganexp.models.residual_blocks import make_first_block

G = {
    32: {"widths": [256] * 4, "spectral_norm_output": True},
    48: {"widths": [512, 256, 128, 64]},
    96: {"widths": [1024, 1024, 512, 256, 128, 64]},
}
D = {
    32: {"widths": [128] * 4, "halvings": 2},
    48: {"widths": [64, 128, 256, 512, 1024], "halvings": 4},
    96: {"widths": [64, 128, 256, 512, 1024, 1024], "halvings": 5, "spectral_norm_output": False},
}
ATTENTION = {32: 8, 48: 12, 96: 24}

conditional_or_not = pytest.mark.parametrize("classes", [0, CLASSES], ids=["plain", "conditional"])
either_mode = pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])


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
    shared = {"num_classes": classes, "spectral_norm": "none", "attention": ATTENTION[side] if attention else None}
    with torch.device("meta"):  # without spectral norm, building is faster and the count is the same
        assert count_parameters(resnet.Generator(128, side, 3, **G[side], **shared)) == g_count
        assert count_parameters(resnet.Discriminator(side, 3, **D[side], **shared)) == d_count


def test_published_count_with_the_hidden_width_of_the_input():
    """The discriminator of Miyato et al. 2018 has 10.1 M parameters.

    Each block has as many channels between its convolutions as at its input.
    """
    count = (3 * 9 + 1) * 64 + (64 * 9 + 1) * 64 + (3 + 1) * 64
    for inputs in (64, 128, 256, 512):
        outputs = 2 * inputs
        count += (inputs * 9 + 1) * inputs + (inputs * 9 + 1) * outputs + (inputs + 1) * outputs
    assert count_parameters(resnet.Discriminator(48, 3, **D[48], hidden="in")) == count + 1024 + 1 == 10_141_441


@pytest.mark.parametrize("classes", [0, 5])
def test_shapes_at_another_resolution(classes):
    labels = torch.arange(2) if classes else None
    generator = resnet.Generator(16, 24, 1, [16, 16, 8], classes, attention=12)
    discriminator = resnet.Discriminator(24, 1, [16, 16, 16], 2, classes, attention=6)
    images = generator(torch.randn(2, 16), labels)
    assert images.shape == (2, 1, 24, 24)
    assert discriminator(images, labels).shape == (2,)


def test_discriminator_gives_several_logits():
    assert resnet.Discriminator(16, 1, [4, 4], 2, logits=3)(torch.randn(2, 1, 16, 16)).shape == (2, 3)


def test_generator_refuses_resolution_that_does_not_fit():
    with pytest.raises(ValueError, match=r"widths=\[8, 8, 8, 8\]: 3 blocks .* resolution=28 is not a multiple of 8"):
        resnet.Generator(16, 28, 1, [8] * 4)


def test_generator_refuses_attention_without_a_map():
    with pytest.raises(ValueError, match=r"attention=9: no feature map has this height and width. Use one of 8, 16"):
        resnet.Generator(16, 32, 1, [8] * 4, attention=9)


@pytest.mark.parametrize(
    ("resolution", "blocks", "halvings", "fix"),
    [(24, 4, 4, "use one of 1, 2, 3"), (32, 2, 3, "use one of 1, 2"), (9, 2, 1, "use an even data.resolution")],
)
def test_discriminator_refuses_halvings_that_do_not_fit(resolution, blocks, halvings, fix):
    with pytest.raises(ValueError, match=f"halvings={halvings} .* resolution={resolution} .*: {fix}$"):
        resnet.Discriminator(resolution, 1, [8] * blocks, halvings)


def test_discriminator_refuses_labels_with_several_logits():
    with pytest.raises(ValueError, match="one logit"):
        resnet.Discriminator(16, 1, [4, 4], 2, num_classes=3, logits=2)


@pytest.mark.parametrize(("kind", "sees"), [("residual", True), ("convolution", True), ("relu", False)])
def test_only_first_block_relu_ignores_negative_pixels(kind, sees):
    block = make_first_block(kind, 3, 8, LayerFactory("none", "default"))
    dark, black = torch.rand(1, 3, 8, 8) - 1, torch.zeros(1, 3, 8, 8)
    branch = block.conv1 if kind == "relu" else block
    seen = []
    branch.register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0]))
    assert block(dark).shape == (1, 8, 4, 4)
    block(black)
    assert torch.equal(*seen) != sees


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"widths": [64, 128, 256, 512, 512], "halvings": 4}, 9_578_689),  # koshian2's SNGAN, whose last width is 512
        ({"widths": [32, 64, 128, 256, 512, 1024], "halvings": 5, "first_block": "convolution"}, 19_562_849),
    ],
)
def test_published_counts_of_smaller_discriminators(settings, count):
    with torch.device("meta"):
        assert count_parameters(resnet.Discriminator(96, 3, spectral_norm="none", **settings)) == count


def test_first_block_convolution_matches_reference():
    network = randomise(resnet.Discriminator(8, 3, [4, 6], 2, spectral_norm="none", first_block="convolution"))
    images = noise(3, 8, 8)
    assert_agrees(network.blocks[0](images), conv(images, network.blocks[0], stride=2, padding=1))


def double_side(x):
    """Return x with twice the height and width: each pixel becomes a block of 2x2 equal pixels."""
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def halve_side(x):
    """Return the mean of each block of 2x2 pixels."""
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def reference_up_block(x, block, training):
    h = conv(double_side(F.relu(conditional_norm(x, block.norm1, training))), block.conv1, padding=1)
    h = conv(F.relu(conditional_norm(h, block.norm2, training)), block.conv2, padding=1)
    return h + conv(double_side(x), block.shortcut)


def reference_down_block(x, block, down, shortcut=True):
    h = conv(F.relu(conv(F.relu(x), block.conv1, padding=1)), block.conv2, padding=1)
    shorter = conv(x, block.shortcut) if shortcut else x
    return halve_side(h) + halve_side(shorter) if down else h + shorter


def reference_first_down_block(x, block):
    h = conv(F.relu(conv(x, block.conv1, padding=1)), block.conv2, padding=1)
    return halve_side(h) + conv(halve_side(x), block.shortcut)


@conditional_or_not
@either_mode
def test_up_block_matches_reference(classes, training):
    block = randomise(resnet.Generator(5, 8, 1, [6, 4], classes), training).blocks[0]
    x = noise(6, 4, 4)
    assert_agrees(block(x, labels_or_none(classes)), reference_up_block(x, block, training))


def test_down_blocks_match_reference():
    network = randomise(resnet.Discriminator(8, 3, [4, 6, 6, 8], 2, spectral_norm="none"))
    first, down, same, wider = network.blocks
    image, x = noise(3, 8, 8), noise(6, 4, 4)
    assert_agrees(first(image), reference_first_down_block(image, first))
    assert_agrees(down(x[:, :4]), reference_down_block(x[:, :4], down, down=True))
    assert_agrees(same(x), reference_down_block(x, same, down=False, shortcut=False))
    assert_agrees(wider(x), reference_down_block(x, wider, down=False))


def test_down_block_with_the_hidden_width_of_its_input_matches_reference():
    block = randomise(resnet.Discriminator(8, 3, [4, 6], 2, spectral_norm="none", hidden="in")).blocks[1]
    assert block.conv1.weight.shape[:2] == (4, 4)
    x = noise(4, 4, 4)
    assert_agrees(block(x), reference_down_block(x, block, down=True))


@conditional_or_not
@either_mode
def test_generator_matches_reference(classes, training):
    network = randomise(resnet.Generator(5, 12, 3, [6, 16, 4], classes, attention=6), training)
    z = noise(5)
    first, attention, second = network.blocks
    assert isinstance(attention, SelfAttention)  # compared with its own reference in test_attention.py
    x = linear(z, network.project).reshape(-1, 6, 3, 3)
    x = reference_up_block(attention(reference_up_block(x, first, training)), second, training)
    x = F.relu(conditional_norm(x, network.norm, training))
    assert_agrees(network(z, labels_or_none(classes)), torch.tanh(conv(x, network.out, padding=1)))


@conditional_or_not
def test_discriminator_matches_reference(classes):
    network = randomise(resnet.Discriminator(8, 3, [4, 16, 16], 2, classes, attention=2, spectral_norm="none"))
    images = noise(3, 8, 8)
    first, second, attention, third = network.blocks
    assert isinstance(attention, SelfAttention)
    x = attention(reference_down_block(reference_first_down_block(images, first), second, down=True))
    features = F.relu(reference_down_block(x, third, down=False, shortcut=False)).sum(3).sum(2)  # a sum, not a mean
    logits = linear(features, network.head.linear).squeeze(1)
    if classes:
        logits = logits + project_labels(features, network.head.embedding.weight.T)
    assert_agrees(network(images, labels_or_none(classes)), logits)
