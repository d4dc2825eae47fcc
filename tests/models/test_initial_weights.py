"""What each option of conf/model builds: initial weights, constants of batch norm, layers with spectral norm."""

from functools import cache

import pytest
import torch
from helpers.config import CONF, config
from helpers.networks import BATCH_NORMS, CLASSES, WEIGHTED, layers_of
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from ganexp.config.instantiate import instantiate
from ganexp.models import dcgan, dcgan_mnist, mlp, resnet, sngan_cnn
from ganexp.models.attention import SelfAttention

pytestmark = pytest.mark.slow

DATA = {
    "mlp": "digits",
    "dcgan_mnist": "mnist",
    "sngan48": "stl10",
    "sagan48": "stl10",
    "sngan96": "flowers102",
    "sagan96": "flowers102",
}


@cache
def build(option):
    """Return both conditional networks of an option; large networks are built with 1/8 of their channels."""
    data = DATA.get(option, "cifar10")
    cfg = config(f"model={option}", f"data={data}", "model.conditional=true", "loss=hinge", "metrics=none")
    torch.manual_seed(0)
    networks = []
    for name in ("generator", "discriminator"):
        node = cfg.model[name]
        if option.endswith(("48", "96", "r3gan")):
            node.widths = [width // 8 for width in node.widths]
        networks.append(instantiate(node, f"model.{name}"))
    return networks


def is_uniform(weight, bound):
    """Return whether `weight` has the extremes and the standard deviation of U(-bound, bound)."""
    count = weight.numel()
    extreme = weight.abs().max().item() / bound
    return 1 - 10 / count <= extreme <= 1 and abs(weight.std().item() / bound * 3**0.5 - 1) < 4 / count**0.5


def is_normal(weight, std):
    """Return whether `weight` may be a sample of N(0, std²).

    This checks the standard deviation. If there are at least 1,000 values, the largest magnitude must exceed 2.5·std.
    """
    count, extreme = weight.numel(), weight.abs().max()
    return abs(weight.std().item() / std - 1) < 4 / count**0.5 and (count < 1000 or extreme > 2.5 * std)


def glorot_bound(weight):
    """Return the bound of Glorot and Bengio 2010, √(6 / (inputs + outputs)); both counts include the kernel's area."""
    return (6 / (weight.shape[0] + weight.shape[1]) / weight[0, 0].numel()) ** 0.5


def torch_bound(weight):
    """Return the bound of torch's initial weights, 1/√inputs."""
    return weight[0].numel() ** -0.5


def is_zero(tensor):
    return tensor is not None and not tensor.any()


def assert_norms_are_initially_the_identity(network):
    for layer in layers_of(network, *BATCH_NORMS, nn.GroupNorm):
        if layer.weight is not None:
            assert torch.equal(layer.weight, torch.ones_like(layer.weight))
            assert is_zero(layer.bias)


@pytest.mark.parametrize("option", ["dcgan", "dcgan_dropout", "dcgan_mnist", "dfm", "autoencoder"])
def test_dcgan_weights_are_normal_of_std_002(option):
    for network in build(option):
        assert_norms_are_initially_the_identity(network)
        for layer in layers_of(network, *WEIGHTED, nn.Embedding):
            assert is_normal(layer.weight, 0.02), layer
            assert isinstance(layer, nn.Embedding) or is_zero(layer.bias), layer


def test_dcgan_strided_weights_are_normal_of_glorots_variance():
    for network in build("dcgan_strided"):
        assert_norms_are_initially_the_identity(network)
        for layer in layers_of(network, nn.Conv2d, nn.ConvTranspose2d):
            assert is_normal(layer.weight, glorot_bound(layer.weight) / 3**0.5), layer
            assert layer.bias is None


def test_mlp_weights_are_those_of_keras():
    for network in build("mlp"):
        for layer in layers_of(network, nn.Linear):
            assert is_uniform(layer.weight, glorot_bound(layer.weight)), layer
            assert is_zero(layer.bias)
        assert is_uniform(network.body.embedding.weight, 0.05)


@pytest.mark.parametrize("option", ["sagan", "sagan48", "sagan96"])
def test_sagan_weights_are_those_of_torch(option):
    """Layers with spectral norm have zero biases; layers without spectral norm have torch's biases."""
    for network in build(option):
        for layer in layers_of(network, *WEIGHTED):
            normalised = is_parametrized(layer, "weight")
            weight = layer.parametrizations.weight.original if normalised else layer.weight
            assert is_uniform(weight, torch_bound(weight)), layer
            if normalised:
                assert layer.bias is None or is_zero(layer.bias), layer
            else:
                assert layer.bias.abs().min() > 0
                assert layer.bias.abs().max() <= torch_bound(weight)
        (attention,) = layers_of(network, SelfAttention)
        assert attention.gamma.shape == ()
        assert is_zero(attention.gamma)
        for embedding in layers_of(network, nn.Embedding):
            assert is_uniform(embedding.weight, glorot_bound(embedding.weight))
    assert_norms_are_initially_the_identity(resnet.Generator(5, 8, 1, [6, 4]))


def test_sngan_cnn_weights_are_glorots_in_g_and_torchs_in_d():
    generator, discriminator = build("sngan_cnn")
    for layer in layers_of(generator, nn.Conv2d, nn.ConvTranspose2d):
        assert is_uniform(layer.weight, glorot_bound(layer.weight)), layer
    assert is_uniform(generator.project.weight, torch_bound(generator.project.weight))
    assert not is_zero(generator.project.bias)
    for embedding in layers_of(generator, nn.Embedding):
        assert is_uniform(embedding.weight, len(embedding.weight) ** -0.5)  # as in a linear layer of one-hot labels
    for layer in layers_of(discriminator, *WEIGHTED):
        weight = layer.parametrizations.weight.original
        assert is_uniform(weight, torch_bound(weight)), layer
        assert layer.bias is None or is_zero(layer.bias), layer


@pytest.mark.parametrize(
    ("network", "eps", "momentum"),
    [
        (lambda: mlp.Generator(5, 4, 1, [8, 8]), 1e-3, 0.01),
        (lambda: mlp.Generator(5, 4, 1, [8, 8], norm="inert"), 1e-3, 0.1),
        (lambda: dcgan_mnist.Generator(5, 8, 1, affine=False), 1e-5, 0.1),
        (lambda: dcgan.Generator(5, 8, 1), 1e-5, 0.1),
        (lambda: sngan_cnn.Generator(5, 8, 1), 1e-5, 0.1),
        (lambda: sngan_cnn.Generator(5, 8, 1, CLASSES), 1e-4, 0.1),
        (lambda: resnet.Generator(5, 8, 1, [8, 8]), 1e-5, 0.1),
        (lambda: resnet.Generator(5, 8, 1, [8, 8], CLASSES), 1e-4, 0.1),
    ],
    ids=[
        "mlp",
        "mlp inert",
        "dcgan_mnist",
        "dcgan",
        "sngan_cnn",
        "sngan_cnn conditional",
        "resnet",
        "resnet conditional",
    ],
)
def test_constants_of_batch_norm(network, eps, momentum):
    layers = layers_of(network(), *BATCH_NORMS)
    assert layers
    assert {(layer.eps, layer.momentum) for layer in layers} == {(eps, momentum)}


def names_of_plain_layers(network):
    """Return the names of the convolutions and linear layers without spectral norm."""
    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, WEIGHTED)}
    return {name for name, layer in layers.items() if not is_parametrized(layer, "weight")}


DCGANS = ("dcgan", "dcgan_dropout", "dcgan_mnist", "dcgan_strided")
# The layers without spectral norm in the generator and the discriminator; None if no layer has spectral norm.
PLAIN_LAYERS = {
    "sagan": (set(), set()),
    "sagan48": ({"out"}, set()),
    "sagan96": ({"out"}, {"head.linear"}),
    **{option: (None, set()) for option in ("sngan", "sngan48", "sngan96", "sngan_cnn")},
    **{option: (None, None) for option in ("mlp", "progressive", "dfm", "autoencoder", "r3gan", *DCGANS)},
}


@pytest.mark.parametrize("option", PLAIN_LAYERS)
def test_layers_without_spectral_norm(option):
    for network, plain in zip(build(option), PLAIN_LAYERS[option], strict=True):
        if plain is None:
            assert not any(is_parametrized(layer) for layer in network.modules())
        else:
            assert names_of_plain_layers(network) == plain
            assert not any(is_parametrized(layer) for layer in layers_of(network, nn.Embedding))


def test_plain_layers_cover_all_models():
    assert set(PLAIN_LAYERS) == {file.stem for file in (CONF / "model").glob("*.yaml")}


def test_sngan_cnn_output_layer_can_be_plain():
    network = sngan_cnn.Discriminator(16, 3, CLASSES, width=4, spectral_norm_output=False)
    assert names_of_plain_layers(network) == {"head.linear"}
