"""R3GAN's networks, compared with published numbers of parameters, with plain torch functions and closed forms."""

import math

import pytest
import torch
from helpers.networks import CLASSES, LABELS, count_parameters, labels_or_none
from torch.nn import functional as F

from ganexp.models.r3gan import Block, Discriminator, Generator, Resample

SMALL = {"widths": [16, 8, 8], "blocks": 1, "group_size": 8}


def test_published_counts():
    """The numbers follow from the authors' configuration for CIFAR-10."""
    shape, widths = (32, 3), [768] * 4
    with torch.device("meta"):
        assert count_parameters(Generator(64, *shape, widths)) == 20_732_160
        assert count_parameters(Discriminator(*shape, widths)) == 20_683_776
        assert count_parameters(Generator(64, *shape, widths, num_classes=10)) == 20_781_952
        assert count_parameters(Discriminator(*shape, widths, num_classes=10)) == 21_280_512


@pytest.mark.parametrize("classes", [0, CLASSES])
@pytest.mark.parametrize(("resolution", "channels"), [(8, 1), (20, 3)])
def test_shapes(resolution, channels, classes):
    labels = labels_or_none(classes)
    images = Generator(12, resolution, channels, num_classes=classes, **SMALL)(torch.randn(len(LABELS), 12), labels)
    assert images.shape == (len(LABELS), channels, resolution, resolution)
    assert Discriminator(resolution, channels, num_classes=classes, **SMALL)(images, labels).shape == (len(LABELS),)
    assert Discriminator(resolution, channels, logits=2, **SMALL)(images).shape == (len(LABELS), 2)


def test_block_starts_as_the_identity_and_follows_its_definition():
    torch.manual_seed(0)
    block, x = Block(8, group_size=4, blocks=16).double(), torch.randn(2, 8, 5, 5, dtype=torch.double)
    assert torch.equal(block(x), x)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    y = F.leaky_relu(F.conv2d(x, block.expand.weight, block.expand.bias), 0.2)
    y = F.leaky_relu(F.conv2d(y, block.grouped.weight, block.grouped.bias, padding=1, groups=4), 0.2)
    assert torch.allclose(block(x), x + F.conv2d(y, block.reduce.weight))


def test_initial_weights_have_the_published_scale():
    torch.manual_seed(0)
    gain = math.sqrt(2 / (1 + 0.2**2)) * 16**-0.25
    block = Block(256, group_size=16, blocks=16)
    assert block.expand.weight.std().item() == pytest.approx(gain / math.sqrt(256), rel=0.01)
    assert block.grouped.weight.std().item() == pytest.approx(gain / math.sqrt(16 * 9), rel=0.01)
    assert not block.reduce.weight.any()
    generator = Generator(64, 8, 3, [256, 256], num_classes=10)
    assert generator.basis.std().item() == pytest.approx(1, rel=0.05)
    assert generator.project.weight.std().item() == pytest.approx(1 / math.sqrt(128), rel=0.02)
    assert generator.embedding.weight.std().item() == pytest.approx(1 / math.sqrt(10), rel=0.1)
    discriminator = Discriminator(8, 3, [256, 256], num_classes=10)
    assert discriminator.embedding.weight.std().item() == pytest.approx(1 / math.sqrt(10 * 256), rel=0.05)
    assert all(not module.bias.any() for module in generator.modules() if getattr(module, "bias", None) is not None)


def test_doubling_is_bilinear_interpolation_inside():
    x = torch.randn(2, 3, 6, 6)
    expected = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(Resample(3, 3, doubles=True)(x)[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1], atol=1e-6)


def test_halving_is_the_transpose_of_doubling():
    """<halve(x), y> = <x, double(y)> / 4, because the filter of the doubling is four times as large."""
    x, y = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 4, 4)
    halved, doubled = Resample(3, 3, doubles=False)(x), Resample(3, 3, doubles=True)(y)
    assert (halved * y).sum().item() == pytest.approx((x * doubled).sum().item() / 4, rel=1e-4)
    assert torch.allclose(Resample(1, 1, doubles=False)(torch.ones(1, 1, 8, 8))[:, :, 1:-1, 1:-1], torch.ones(()))


def test_resampling_changes_the_width_at_the_smaller_size():
    for doubles, side, result in ((True, 4, 8), (False, 8, 4)):
        layer, sides = Resample(3, 5, doubles), []
        layer.change_width.register_forward_hook(lambda module, inputs, output, sides=sides: sides.append(output.shape))
        assert layer(torch.randn(2, 3, side, side)).shape == (2, 5, result, result)
        assert sides == [(2, 5, 4, 4)]


def test_conditional_logit_is_an_inner_product_with_the_embedding():
    torch.manual_seed(0)
    network, images = Discriminator(8, 1, num_classes=3, **SMALL), torch.randn(2, 1, 8, 8)
    outputs = network.linear(network.body(images).flatten(1))
    expected = [outputs[0] @ network.embedding.weight[:, 2], outputs[1] @ network.embedding.weight[:, 0]]
    assert torch.allclose(network(images, torch.tensor([2, 0])), torch.stack(expected))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Discriminator(8, 1, num_classes=3, logits=2, **SMALL), "logits=2: with labels"),
        (lambda: Generator(4, 10, 1, **SMALL), "resolution=10 is not a multiple of 4"),
        (lambda: Discriminator(8, 1, [12, 12], group_size=16), "group_size=16: 2·12 channels"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
