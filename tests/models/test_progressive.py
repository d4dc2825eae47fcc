"""The networks of progressive GAN, compared with plain functions at every stage and with counts of parameters."""

import pytest
import torch
from helpers.networks import CODES, LABELS, assert_agrees, count_parameters, labels_or_none, noise
from torch.nn import functional as F

from ganexp.models.progressive import Discriminator, Generator

STAGES = [0.0, 0.5, 1.0, 1.25, 2.0, 2.9, 3.5, 4.0, 4.5, 5.875, 6.0, 40.0]


def random_biases(network):
    """Return the network in double precision with random biases; the weights of a new network are random already."""
    torch.manual_seed(0)
    for name, parameter in network.double().named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return network


def side_and_share(stage):
    """Return the side of a stage's images, at most 32, and the share with which the newest level is mixed in."""
    table = {0: (4, 1), 1: (8, stage - 1), 2: (8, 1), 3: (16, stage - 3), 4: (16, 1), 5: (32, stage - 5)}
    return table.get(int(stage), (32, 1))


def equalised(x, layer, padding=0):
    """Multiply x by √(2 / inputs), and apply the layer's convolution or linear map to the product."""
    x = x * (2 / layer.weight[0].numel()) ** 0.5
    if layer.weight.ndim == 2:
        return F.linear(x, layer.weight, layer.bias)
    return F.conv2d(x, layer.weight, layer.bias, padding=padding)


def pixel_norm(x):
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def norm_relu(x):
    return F.leaky_relu(pixel_norm(x), 0.2)


def repeat(x, times):
    return x.repeat_interleave(times, 2).repeat_interleave(times, 3)


def draw(network, z, stage, classes=0):
    """Compute the images (4, C, 32, 32) of the generator with plain functions."""
    side, share = side_and_share(stage)
    codes = torch.cat([pixel_norm(z), CODES], 1) if classes else pixel_norm(z)
    h = norm_relu(equalised(codes[..., None, None], network.first[0], 3))
    h = norm_relu(equalised(h, network.first[3], 1))
    level, images = 0, equalised(h, network.to_images[0])
    while h.shape[2] < side:
        before = images
        block = network.blocks[level]
        h = norm_relu(equalised(repeat(h, 2), block[0], 1))
        h = norm_relu(equalised(h, block[3], 1))
        level += 1
        images = equalised(h, network.to_images[level])
    if share < 1:
        images = (1 - share) * repeat(before, 2) + share * images
    return repeat(images, 32 // side)


def judge(network, images, stage, classes=0):
    """Compute the discriminator's logits of full-size images (4, C, 32, 32) with plain functions."""
    side, share = side_and_share(stage)
    level = {4: 0, 8: 1, 16: 2, 32: 3}[side]
    small = F.avg_pool2d(images, 32 // side)
    h = F.leaky_relu(equalised(small, network.from_images[level][0]), 0.2)
    for number in range(level - 1, -1, -1):
        block = network.blocks[number]
        h = F.leaky_relu(equalised(h, block[0], 1), 0.2)
        h = F.avg_pool2d(F.leaky_relu(equalised(h, block[2], 1), 0.2), 2)
        if number == level - 1 and share < 1:
            old = F.leaky_relu(equalised(F.avg_pool2d(small, 2), network.from_images[number][0]), 0.2)
            h = (1 - share) * old + share * h
    deviation = ((h - h.mean(0)).square().mean(0) + 1e-8).sqrt().mean()
    h = torch.cat([h, torch.full_like(h[:, :1], deviation.item())], 1)
    h = F.leaky_relu(equalised(h, network.last[1], 1), 0.2)
    h = F.leaky_relu(equalised(h, network.last[3]), 0.2).flatten(1)
    logits = equalised(h, network.head.linear).squeeze(1)
    return logits + ((CODES @ network.head.embedding.weight) * h).sum(1) if classes else logits


@pytest.mark.parametrize("stage", STAGES)
def test_generator_equals_plain_functions_at_every_stage(stage):
    network = random_biases(Generator(5, 32, 3, width=3, max_width=8))
    network.set_stage(stage)
    z = noise(5)
    images = network(z)
    assert images.shape == (4, 3, 32, 32)
    assert_agrees(images, draw(network, z, stage))


@pytest.mark.parametrize("stage", STAGES)
def test_discriminator_equals_plain_functions_at_every_stage(stage):
    network = random_biases(Discriminator(32, 3, width=3, max_width=8))
    network.set_stage(stage)
    images = noise(3, 32, 32) + 4 * repeat(noise(3, 4, 4), 8)  # with details of every size
    assert_agrees(network(images), judge(network, images, stage))


def test_conditional_networks_use_the_labels():
    generator, discriminator = Generator(5, 32, 1, 3, 8, num_classes=3), Discriminator(32, 1, 3, 8, num_classes=3)
    for network in (generator, discriminator):
        random_biases(network).set_stage(3.5)
    z, images = noise(5), noise(1, 32, 32)
    assert_agrees(generator(z, LABELS), draw(generator, z, 3.5, classes=3))
    assert_agrees(discriminator(images, LABELS), judge(discriminator, images, 3.5, classes=3))


@pytest.mark.parametrize("stage", STAGES)
def test_real_images_are_pooled_and_blended_at_full_size(stage):
    network = Discriminator(32, 3, width=2)
    network.set_stage(stage)
    side, share = side_and_share(stage)
    images = noise(3, 32, 32)
    high = repeat(F.avg_pool2d(images, 32 // side), 32 // side)
    expected = high
    if share < 1:
        expected = (1 - share) * repeat(F.avg_pool2d(images, 64 // side), 64 // side) + share * high
    assert_agrees(network.prepare_real(images), expected)


def test_last_layers_start_to_learn_when_they_fade_in():
    torch.manual_seed(0)
    generator, discriminator = Generator(4, 16, 1, 4), Discriminator(16, 1, 4)
    trained = {}
    for stage in (0.0, 2.0, 3.5, 4.0):
        for network in (generator, discriminator):
            network.zero_grad()
            network.set_stage(stage)
        discriminator(generator(torch.randn(3, 4))).sum().backward()
        named = {**dict(generator.named_parameters()), **dict(discriminator.named_parameters())}
        trained[stage] = {".".join(name.split(".")[:2]) for name, p in named.items() if p.grad is not None}
    layers = ("first", "last", "head")
    of_levels = {stage: {name for name in names if not name.startswith(layers)} for stage, names in trained.items()}
    assert of_levels[0.0] == {"to_images.0", "from_images.0"}
    assert of_levels[2.0] == {"to_images.1", "from_images.1", "blocks.0"}
    assert of_levels[3.5] == {"to_images.1", "from_images.1", "to_images.2", "from_images.2", "blocks.0", "blocks.1"}
    assert of_levels[4.0] == {"to_images.2", "from_images.2", "blocks.0", "blocks.1"}


def convolution(inputs, outputs, kernel):
    return inputs * outputs * kernel**2 + outputs


def test_parameters_at_32_pixels_equal_those_by_hand():
    block = 2 * convolution(512, 512, 3)  # a block from 4 to 8 pixels, or from 8 to 16
    last_block = convolution(512, 256, 3) + convolution(256, 256, 3)
    images = 3 * convolution(512, 3, 1) + convolution(256, 3, 1)
    first = convolution(512, 512, 4) + convolution(512, 512, 3)
    assert first + 2 * block + last_block + images == 17_769_228
    assert count_parameters(Generator(512, 32, 3)) == 17_769_228

    first_block = convolution(256, 256, 3) + convolution(256, 512, 3)
    images = 3 * convolution(3, 512, 1) + convolution(3, 256, 1)
    last = convolution(513, 512, 3) + convolution(512, 512, 4) + 512 + 1
    assert images + first_block + 2 * block + last == 17_776_385
    assert count_parameters(Discriminator(32, 3)) == 17_776_385


@pytest.mark.parametrize("resolution", [4, 8, 28, 48])
def test_other_resolutions_have_their_own_base(resolution):
    z = torch.randn(2, 4)
    generator, discriminator = Generator(4, resolution, 1, 2, 4), Discriminator(resolution, 1, 2, 4, logits=3)
    for stage in (0.0, 1.5, 100.0):
        for network in (generator, discriminator):
            network.set_stage(stage)
        images = generator(z)
        assert images.shape == (2, 1, resolution, resolution)
        assert discriminator(images).shape == (2, 3)


@pytest.mark.parametrize("classes", [0, 3])
def test_new_networks_have_outputs_of_order_one(classes):
    """With the factor of He et al., features keep their scale from layer to layer."""
    torch.manual_seed(0)
    generator, discriminator = Generator(16, 32, 3, 32, 64, classes), Discriminator(32, 3, 32, 64, classes)
    labels = labels_or_none(classes)
    images = generator(torch.randn(4, 16), labels)
    assert 0.3 < images.std() < 3
    assert 0.03 < discriminator(torch.randn(4, 3, 32, 32), labels).abs().mean() < 5
