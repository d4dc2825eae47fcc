"""The networks of chainer-gan-lib and of the AC-WGAN-GP article, compared with plain torch functions."""

import pytest
import torch
from helpers.networks import (
    CLASSES,
    CODES,
    assert_agrees,
    batch_norm,
    conv,
    conv_transpose,
    count_parameters,
    labels_or_none,
    layers_of,
    linear,
    noise,
    project_labels,
    randomise,
)
from torch import nn
from torch.nn import functional as F

from ganexp.models import dcgan

EPS = 1e-5  # the epsilon of torch's norms; chainer's epsilon is 2e-5
ARTICLE = {"num_classes": CLASSES, "norm_after_linear": False, "slope": 0.2, "label_code": "plus_minus"}

either_mode = pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])


@pytest.mark.parametrize(
    ("network", "published"),
    [
        (lambda: dcgan.Discriminator(32, 3, norm="none"), 5_860_865),
        (lambda: dcgan.Generator(128, 32, 3, num_classes=10, norm_after_linear=False), 3_894_275),
        (lambda: dcgan.Generator(128, 32, 3, norm_after_linear="features"), 3_828_739),
        (lambda: dcgan.Discriminator(32, 3, norm="batch_offset"), 5_860_865 + 2 * (128 + 256 + 512)),
        (lambda: dcgan.Discriminator(32, 3, norm="batch_offset", norm_last=False), 5_862_657 - 512),
        (lambda: dcgan.Discriminator(32, 3, norm="none", spectral_norm="persistent"), 5_860_865),
        (
            lambda: dcgan.Discriminator(32, 3, norm="batch_offset", minibatch="discrimination"),
            5_862_657 + 8192 * 500 + 100,
        ),
    ],
    ids=["chainer-gan-lib critic", "ac_wgan_gp G", "library G", "library D", "no last norm", "SN-DCGAN", "minibatch"],
)
def test_published_counts(network, published):
    assert count_parameters(network()) == published


def test_library_generator_count_is_that_of_its_layers():
    """The parameters are counted by hand for images of 32x32 pixels, first without norms, then with norms.

    Each triple below contains the input channels, the output channels and the kernel area of a layer.
    """
    layers = [(128, 8192, 1), (512, 256, 16), (256, 128, 16), (128, 64, 16), (64, 3, 9)]
    without_norms = sum(inputs * outputs * area + outputs for inputs, outputs, area in layers)
    assert without_norms == 3_811_459
    assert without_norms + 2 * (8192 + 256 + 128 + 64) == 3_828_739
    assert count_parameters(dcgan.Generator(128, 32, 3, norm="none", norm_after_linear=False)) == without_norms


@pytest.mark.parametrize("classes", [0, 5])
@pytest.mark.parametrize(("resolution", "channels"), [(8, 1), (28, 1), (32, 3), (48, 3), (96, 3)])
def test_shapes(resolution, channels, classes):
    labels = torch.arange(3) if classes else None
    images = dcgan.Generator(12, resolution, channels, 4, num_classes=classes)(torch.randn(3, 12), labels)
    assert images.shape == (3, channels, resolution, resolution)
    assert images.abs().max() <= 1
    assert dcgan.Discriminator(resolution, channels, 4, num_classes=classes)(images, labels).shape == (3,)
    assert dcgan.Discriminator(resolution, channels, 4, logits=2)(images).shape == (3, 2)


def test_labels_change_the_logit():
    network, images = dcgan.Discriminator(8, 1, 4, num_classes=5).eval(), torch.randn(2, 1, 8, 8)
    assert not torch.allclose(network(images, torch.tensor([0, 0])), network(images, torch.tensor([1, 1])))


def test_label_code_is_the_input_after_the_latent():
    generator = dcgan.Generator(3, 8, 1, 4, num_classes=4, label_code="plus_minus")
    inputs = []
    generator.project.register_forward_pre_hook(lambda module, arguments: inputs.append(arguments[0]))
    generator(torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]), torch.tensor([2, 0]))
    codes = [[-1, -1, 1, -1], [1, -1, -1, -1]]
    assert torch.equal(inputs[0][:, 3:], torch.tensor(codes, dtype=torch.float))


def test_slope_and_norm_after_linear_change_the_layers():
    layers = list(dcgan.Generator(3, 8, 1, 4, slope=0.2, norm_after_linear=False).body)
    assert isinstance(layers[0], nn.Identity)
    assert [layer.negative_slope for layer in layers if isinstance(layer, nn.LeakyReLU)] == [0.2, 0.2]
    default = list(dcgan.Generator(3, 8, 1, 4).body)
    assert isinstance(default[0], nn.BatchNorm2d)
    assert not any(isinstance(layer, nn.LeakyReLU) for layer in default)


def test_class_head_returns_class_logits():
    logits, class_logits = dcgan.Discriminator(8, 1, 4, num_classes=5, head="classes")(torch.randn(2, 1, 8, 8))
    assert logits.shape == (2,)
    assert class_logits.shape == (2, 5)


@either_mode
@pytest.mark.parametrize("article", [False, True])
def test_generator_matches_reference(article, training):
    """The article's generator has a label code of ±1 beside z, no norm after the linear layer, and LeakyReLU(0.2)."""
    network = randomise(dcgan.Generator(5, 16, 3, 4, **(ARTICLE if article else {})), training)
    norms, ups = layers_of(network, nn.BatchNorm2d), layers_of(network, nn.ConvTranspose2d)
    slope = 0.2 if article else 0.0
    z = noise(5)
    h = linear(torch.cat([z, 2 * CODES - 1], 1) if article else z, network.project).reshape(-1, 16, 4, 4)
    if not article:
        h = batch_norm(h, norms.pop(0), EPS, training)
    h = F.leaky_relu(h, slope)
    for up, norm in zip(ups, norms, strict=True):
        h = F.leaky_relu(batch_norm(conv_transpose(h, up, stride=2, padding=1), norm, EPS, training), slope)
    (out,) = layers_of(network, nn.Conv2d)
    assert_agrees(network(z, labels_or_none(article)), torch.tanh(conv(h, out, padding=1)))


@either_mode
def test_norm_of_features_normalises_each_output_of_the_linear_layer(training):
    network = randomise(dcgan.Generator(5, 8, 1, 4, norm_after_linear="features"), training)
    norm = network.body[0]
    h = noise(128)
    expected = batch_norm(h, norm, EPS, training)
    assert_agrees(norm(h.reshape(-1, 8, 4, 4)), expected.reshape(-1, 8, 4, 4))
    assert len(norm.weight) == 128


def test_spectral_norm_bounds_every_layer():
    network = dcgan.Discriminator(
        8,
        1,
        4,
        num_classes=CLASSES,
        norm="none",
        spectral_norm="persistent",
        minibatch="discrimination",
        minibatch_kernels=3,
    )
    for _ in range(60):
        network(torch.randn(2, 1, 8, 8), torch.tensor([0, 1]))
    weights = [layer.weight for layer in network.modules() if hasattr(layer, "parametrizations")]
    assert len(weights) == 6  # convolutions, minibatch discrimination, the logit's layer, the embedding
    assert all(torch.linalg.matrix_norm(weight.flatten(1), 2) < 1.05 for weight in weights)


def test_last_norm_can_be_left_out():
    layers = list(dcgan.Discriminator(8, 1, 4, norm="batch_offset", norm_last=False).body)
    assert isinstance(layers[-3], nn.Identity)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in layers) == 1


def reference_norm(x, layer, training):
    if isinstance(layer, nn.BatchNorm2d):
        return batch_norm(x, layer, EPS, training)
    axes = (1, 2, 3) if isinstance(layer, nn.GroupNorm) else (2, 3)  # layer norm, or instance norm
    centred = x - x.mean(axes, keepdim=True)
    normalised = centred / (centred.square().mean(axes, keepdim=True) + EPS).sqrt()
    return normalised * layer.weight[:, None, None] + layer.bias[:, None, None]


@either_mode
@pytest.mark.parametrize(
    ("norm", "classes"),
    [("none", 0), ("batch", 0), ("batch", CLASSES), ("batch_offset", 0), ("layer", 0), ("instance", CLASSES)],
)
def test_discriminator_matches_reference(norm, classes, training):
    network = randomise(dcgan.Discriminator(16, 3, 4, num_classes=classes, norm=norm), training)
    first, *convolutions = layers_of(network, nn.Conv2d)
    norms = iter(layers_of(network, nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d))
    images = noise(3, 16, 16)
    h = F.leaky_relu(conv(images, first, padding=1), 0.2)
    for index, layer in enumerate(convolutions):
        h = conv(h, layer, stride=1 if index % 2 else 2, padding=1)
        assert layer.kernel_size[0] == (3 if index % 2 else 4)
        h = F.leaky_relu(h if norm == "none" else reference_norm(h, next(norms), training), 0.2)
    features = h.flatten(1)
    logits = linear(features, network.head.linear).squeeze(1)
    if classes:
        logits = logits + project_labels(features, network.head.embedding.weight)
    assert_agrees(network(images, labels_or_none(classes)), logits)
    assert not list(norms)
