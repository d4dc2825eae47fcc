"""Networks, layer by layer: against the published layers written anew with torch's functions, on the same weights.

Then what the weights start from, the constants of batch norm, and which layers are spectrally normalised.
"""

from functools import cache

import pytest
import torch
from helpers.config import config
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrize import is_parametrized

from ganexp.build import make
from ganexp.cli import CONF
from ganexp.models import dcgan, mlp, resnet, sngan_cnn

CLASSES = 3
LABELS = torch.tensor([2, 0, 1, 2])
CODES = F.one_hot(LABELS, CLASSES).double()
WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)

conditional_or_not = pytest.mark.parametrize("classes", [0, CLASSES], ids=["plain", "conditional"])
either_mode = pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])


def filled(network, training=False):
    """`network` in double precision, every weight, bias, scale and running average random: any other order shows."""
    torch.manual_seed(0)
    network.double().train(training)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, (2 / parameter[0].numel()) ** 0.5 if parameter.ndim else 1)
        for layer in network.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None:
                layer.running_mean.normal_(0, 0.3)
                layer.running_var.uniform_(0.5, 1.5)
    return network


def of(network, *kinds):
    return [layer for layer in network.modules() if isinstance(layer, kinds)]


def noise(*shape):
    return torch.randn(len(LABELS), *shape, dtype=torch.double)


def agree(output, expected):
    assert output.shape == expected.shape
    assert expected.std() > 0.05
    assert torch.allclose(output, expected, rtol=1e-8, atol=1e-10)


def given(classes):
    return LABELS if classes else None


def conv(x, layer, **how):
    return F.conv2d(x, layer.weight, layer.bias, **how)


def conv_transpose(x, layer, **how):
    return F.conv_transpose2d(x, layer.weight, layer.bias, **how)


def linear(x, layer):
    return F.linear(x, layer.weight, layer.bias)


def batch_norm(x, layer, eps, training):
    averages = (None, None) if training else (layer.running_mean, layer.running_var)
    return F.batch_norm(x, *averages, layer.weight, layer.bias, training, eps=eps)


def conditional_norm(x, layer, training):
    """Plain: affine, eps 1e-5. With classes: eps 1e-4, scale 1 + V·onehot, offset U·onehot."""
    if layer.scale is None:
        return batch_norm(x, layer.norm, 1e-5, training)
    assert layer.norm.weight is None
    scale, offset = 1 + CODES @ layer.scale.weight, CODES @ layer.offset.weight
    return batch_norm(x, layer.norm, 1e-4, training) * scale[..., None, None] + offset[..., None, None]


# Residual networks


def twice(x):
    """The nearest pixel, in both directions."""
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def half(x):
    """The mean of each 2x2."""
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def up_block(x, block, training):
    h = conv(twice(F.relu(conditional_norm(x, block.norm1, training))), block.conv1, padding=1)
    h = conv(F.relu(conditional_norm(h, block.norm2, training)), block.conv2, padding=1)
    return h + conv(twice(x), block.shortcut)


def down_block(x, block, down, shortcut=True):
    h = conv(F.relu(conv(F.relu(x), block.conv1, padding=1)), block.conv2, padding=1)
    x = conv(x, block.shortcut) if shortcut else x
    return half(h) + half(x) if down else h + x


def first_down_block(x, block):
    h = conv(F.relu(conv(x, block.conv1, padding=1)), block.conv2, padding=1)
    return half(h) + conv(half(x), block.shortcut)


def self_attention(x, layer):
    queries = conv(x, layer.query).flatten(2)
    keys, values = (F.max_pool2d(conv(x, part), 2).flatten(2) for part in (layer.key, layer.value))
    scores = torch.einsum("ncq,nck->nqk", queries, keys).exp()
    weights = scores / scores.sum(2, keepdim=True)  # softmax over the keys
    attended = torch.einsum("nqk,nck->ncq", weights, values).reshape(len(x), -1, *x.shape[2:])
    return x + layer.gamma * conv(attended, layer.out)


@conditional_or_not
@either_mode
def test_up_block(classes, training):
    block = filled(resnet.Generator(5, 8, 1, [6, 4], classes), training).blocks[0]
    x = noise(6, 4, 4)
    agree(block(x, given(classes)), up_block(x, block, training))


def test_down_blocks():
    first, down, same, wider = filled(resnet.Discriminator(8, 3, [4, 6, 6, 8], 2, spectral_norm="none")).blocks
    image, x = noise(3, 8, 8), noise(6, 4, 4)
    agree(first(image), first_down_block(image, first))
    agree(down(x[:, :4]), down_block(x[:, :4], down, down=True))
    agree(same(x), down_block(x, same, down=False, shortcut=False))
    agree(wider(x), down_block(x, wider, down=False))


def test_self_attention():
    layer = filled(resnet.Generator(5, 8, 1, [16, 16], attention=8)).blocks[1]
    assert [tuple(part.weight.shape[:2]) for part in (layer.query, layer.key, layer.value, layer.out)] == [
        (2, 16), (2, 16), (8, 16), (16, 8),
    ]  # fmt: skip
    x = noise(16, 4, 6)
    agree(layer(x), self_attention(x, layer))
    assert not torch.allclose(layer(x), x, atol=0.1)


@conditional_or_not
@either_mode
def test_residual_generator(classes, training):
    network = filled(resnet.Generator(5, 12, 3, [6, 16, 4], classes, attention=6), training)
    z = noise(5)
    first, attention, second = network.blocks
    x = linear(z, network.project).reshape(-1, 6, 3, 3)
    x = up_block(self_attention(up_block(x, first, training), attention), second, training)
    x = F.relu(conditional_norm(x, network.norm, training))
    agree(network(z, given(classes)), torch.tanh(conv(x, network.out, padding=1)))


@conditional_or_not
def test_residual_discriminator(classes):
    network = filled(resnet.Discriminator(8, 3, [4, 16, 16], 2, classes, attention=2, spectral_norm="none"))
    images = noise(3, 8, 8)
    first, second, attention, third = network.blocks
    x = self_attention(down_block(first_down_block(images, first), second, down=True), attention)
    features = F.relu(down_block(x, third, down=False, shortcut=False)).sum(3).sum(2)  # a sum, no mean
    logits = linear(features, network.out).squeeze(1)
    if classes:
        logits = logits + (F.linear(CODES, network.embedding.weight) * features).sum(1)
    agree(network(images, given(classes)), logits)


# The textbook's


@conditional_or_not
@either_mode
@pytest.mark.parametrize("norm", ["batch", "inert"])
def test_mlp_generator(norm, classes, training):
    network = filled(mlp.Generator(5, 4, 2, [8, 6, 7], classes, norm), training)
    first, *rest, out = of(network, nn.Linear)
    z = noise(5)
    h = linear(z, first)
    if classes:
        h = torch.cat([h, network.body.embedding.weight[LABELS]], 1)
    for dense, layer in zip([*rest, None], of(network, nn.BatchNorm1d), strict=True):
        h = F.leaky_relu(h, 0.3)
        inert = h / 1.001**0.5 * layer.weight + layer.bias  # by Keras' first averages, mean 0 and variance 1
        h = inert if norm == "inert" else batch_norm(h, layer, 1e-3, training)
        h = linear(h, dense) if dense else h
    agree(network(z, given(classes)), torch.tanh(linear(h, out)).reshape(-1, 2, 4, 4))


@conditional_or_not
@either_mode
def test_mlp_discriminator(classes, training):
    network = filled(mlp.Discriminator(4, 2, [8, 6, 7], classes, dropout=0.5), training)
    first, *rest, out = of(network, nn.Linear)
    images = noise(2, 4, 4)
    torch.manual_seed(1)
    logits = network(images, given(classes))
    torch.manual_seed(1)
    h = linear(images.reshape(-1, 32), first)
    if classes:
        h = torch.cat([h, network.body.embedding.weight[LABELS]], 1)
    for dense in (*rest, out):
        h = linear(F.dropout(F.leaky_relu(h, 0.3), 0.5, training), dense)
    agree(logits, h.squeeze(1))


# DCGAN on MNIST


@either_mode
@pytest.mark.parametrize("batch_statistics_only", [False, True])
def test_mnist_generator(batch_statistics_only, training):
    affine = not batch_statistics_only
    network = filled(dcgan.MnistGenerator(5, 8, 2, 0, affine, batch_statistics_only), training)
    of_the_batch = training or batch_statistics_only
    (first, second), (up, out) = of(network, nn.Linear), of(network, nn.ConvTranspose2d)
    norm1, norm2, norm3 = of(network, nn.BatchNorm1d, nn.BatchNorm2d)
    z = noise(5)
    h = F.relu(batch_norm(linear(z, first), norm1, 1e-5, of_the_batch))
    assert h.shape[1] == 1024
    h = F.relu(batch_norm(linear(h, second), norm2, 1e-5, of_the_batch)).reshape(-1, 128, 2, 2)
    h = conv_transpose(h, up, stride=2, padding=1)[..., :-1, :-1]
    h = F.relu(batch_norm(h, norm3, 1e-5, of_the_batch))
    agree(network(z), torch.tanh(conv_transpose(h, out, stride=2, padding=1)[..., :-1, :-1]))


@conditional_or_not
@either_mode
def test_mnist_discriminator(classes, training):
    network = filled(dcgan.MnistDiscriminator(8, 2, classes), training)
    (first, second), (dense, out) = of(network, nn.Conv2d), of(network, nn.Linear)
    images = noise(2, 8, 8)
    torch.manual_seed(1)
    logits = network(images, given(classes))
    torch.manual_seed(1)
    h = images
    for layer in (first, second):
        h = F.leaky_relu(conv(F.pad(h, (1, 2, 1, 2)), layer, stride=2), 0.01)
    assert h.shape[1:] == (128, 2, 2)
    h = F.dropout(F.leaky_relu(linear(h.flatten(1), dense), 0.01), 0.5, training)
    expected = linear(h, out).squeeze(1)
    if classes:
        expected = expected + (network.head.embedding.weight[LABELS] * h).sum(1)
    agree(logits, expected)


# chainer-gan-lib's, and the AC-WGAN-GP article's change of it

DCGAN_EPS = 1e-5  # torch's; chainer's is 2e-5


@either_mode
@pytest.mark.parametrize("article", [False, True])
def test_dcgan_generator(article, training):
    """The article's: label code of ±1 beside z, no norm after the linear layer, LeakyReLU(0.2) for ReLU."""
    how = {"num_classes": CLASSES, "first_norm": False, "slope": 0.2, "label_code": "plus_minus"} if article else {}
    network = filled(dcgan.Generator(5, 16, 3, 4, **how), training)
    norms, ups = of(network, nn.BatchNorm2d), of(network, nn.ConvTranspose2d)
    slope = 0.2 if article else 0.0
    z = noise(5)
    h = linear(torch.cat([z, 2 * CODES - 1], 1) if article else z, network.project).reshape(-1, 16, 4, 4)
    if not article:
        h = batch_norm(h, norms.pop(0), DCGAN_EPS, training)
    h = F.leaky_relu(h, slope)
    for up, norm in zip(ups, norms, strict=True):
        h = F.leaky_relu(batch_norm(conv_transpose(h, up, stride=2, padding=1), norm, DCGAN_EPS, training), slope)
    (out,) = of(network, nn.Conv2d)
    agree(network(z, given(article)), torch.tanh(conv(h, out, padding=1)))


@either_mode
@pytest.mark.parametrize(("norm", "classes"), [("none", 0), ("batch", 0), ("batch", CLASSES)])
def test_dcgan_discriminator(norm, classes, training):
    network = filled(dcgan.Discriminator(16, 3, 4, num_classes=classes, norm=norm), training)
    first, *convolutions = of(network, nn.Conv2d)
    norms = iter(of(network, nn.BatchNorm2d))
    images = noise(3, 16, 16)
    h = F.leaky_relu(conv(images, first, padding=1), 0.2)
    for index, layer in enumerate(convolutions):
        h = conv(h, layer, stride=1 if index % 2 else 2, padding=1)
        assert layer.kernel_size[0] == (3 if index % 2 else 4)
        h = F.leaky_relu(h if norm == "none" else batch_norm(h, next(norms), DCGAN_EPS, training), 0.2)
    features = h.flatten(1)
    logits = linear(features, network.head.linear).squeeze(1)
    if classes:
        logits = logits + (network.head.embedding.weight[LABELS] * features).sum(1)
    agree(network(images, given(classes)), logits)
    assert not list(norms)


# SNGAN's plain pair


@conditional_or_not
@either_mode
def test_sngan_cnn_generator(classes, training):
    network = filled(sngan_cnn.Generator(5, 16, 3, classes, width=4), training)
    z = noise(5)
    h = linear(z, network.project).reshape(-1, 32, 2, 2)  # neither norm nor ReLU
    for up, norm in zip(network.ups, network.norms, strict=True):
        h = F.relu(conditional_norm(conv_transpose(h, up, stride=2, padding=1), norm, training))
    agree(network(z, given(classes)), torch.tanh(conv(h, network.out, padding=1)))


@conditional_or_not
def test_sngan_cnn_discriminator(classes):
    network = filled(sngan_cnn.Discriminator(16, 3, classes, width=4, spectral_norm="none"))
    images = noise(3, 16, 16)
    h = images
    for index, layer in enumerate(of(network, nn.Conv2d)):
        h = F.leaky_relu(conv(h, layer, stride=2 if index % 2 else 1, padding=1), 0.1)
        assert layer.kernel_size[0] == (4 if index % 2 else 3)
    features = h.flatten(1)
    logits = linear(features, network.out).squeeze(1)
    if classes:
        logits = logits + (F.linear(CODES, network.embedding.weight) * features).sum(1)
    agree(network(images, given(classes)), logits)


# What the options of conf/model build

DATA = {"mlp": "digits", "dcgan_mnist": "mnist", "sngan48": "stl10", "sagan48": "stl10", "sngan96": "flowers102",
        "sagan96": "flowers102"}  # fmt: skip


@cache
def built(option):
    """Conditional generator and discriminator of a model option; the large ones an eighth as wide, with all layers."""
    data = DATA.get(option, "cifar10")
    cfg = config(f"model={option}", f"data={data}", "model.conditional=true", "loss=hinge", "metrics=none")
    torch.manual_seed(0)
    networks = []
    for name in ("generator", "discriminator"):
        node = cfg.model[name]
        if option.endswith(("48", "96")):
            node.widths = [width // 8 for width in node.widths]
        networks.append(make(node, f"model.{name}"))
    return networks


def drawn_uniformly(weight, bound):
    """Whether `weight` has the extremes and the deviation of U(-bound, bound)."""
    count = weight.numel()
    extreme = weight.abs().max().item() / bound
    return 1 - 10 / count <= extreme <= 1 and abs(weight.std().item() / bound * 3**0.5 - 1) < 4 / count**0.5


def drawn_normally(weight, std):
    count, farthest = weight.numel(), weight.abs().max()
    return abs(weight.std().item() / std - 1) < 4 / count**0.5 and (count < 1000 or farthest > 2.5 * std)


def glorot(weight):
    """The bound of Glorot and Bengio 2010: √(6 / (in + out)), each times the kernel's area."""
    return (6 / (weight.shape[0] + weight.shape[1]) / weight[0, 0].numel()) ** 0.5


def fan_in(weight):
    return weight[0].numel() ** -0.5


def zero(tensor):
    return tensor is not None and not tensor.any()


def norms_start_inert(network):
    for layer in of(network, nn.modules.batchnorm._BatchNorm, nn.GroupNorm):
        if layer.weight is not None:
            assert torch.equal(layer.weight, torch.ones_like(layer.weight))
            assert zero(layer.bias)


@pytest.mark.parametrize("option", ["dcgan", "dcgan_mnist"])
def test_dcgan_starts_from_normal_weights_of_002(option):
    for network in built(option):
        norms_start_inert(network)
        for layer in of(network, *WEIGHTED, nn.Embedding):
            assert drawn_normally(layer.weight, 0.02), layer
            assert isinstance(layer, nn.Embedding) or zero(layer.bias), layer


def test_mlp_starts_as_keras_layers_do():
    for network in built("mlp"):
        for layer in of(network, nn.Linear):
            assert drawn_uniformly(layer.weight, glorot(layer.weight)), layer
            assert zero(layer.bias)
        assert drawn_uniformly(network.body.embedding.weight, 0.05)


@pytest.mark.parametrize("option", ["sagan", "sagan48", "sagan96"])
def test_sagan_starts_from_torchs_weights(option):
    """Normalised layers without bias; the plain last ones with torch's."""
    for network in built(option):
        for layer in of(network, *WEIGHTED):
            normalised = is_parametrized(layer, "weight")
            weight = layer.parametrizations.weight.original if normalised else layer.weight
            assert drawn_uniformly(weight, fan_in(weight)), layer
            if normalised:
                assert layer.bias is None or zero(layer.bias), layer
            else:
                assert layer.bias.abs().min() > 0
                assert layer.bias.abs().max() <= fan_in(weight)
        (attention,) = of(network, resnet.SelfAttention)
        assert attention.gamma.shape == ()
        assert zero(attention.gamma)
        for embedding in of(network, nn.Embedding):
            assert drawn_uniformly(embedding.weight, glorot(embedding.weight))
    norms_start_inert(resnet.Generator(5, 8, 1, [6, 4]))


def test_sngan_cnn_starts_from_glorots_weights_in_g_and_torchs_in_d():
    generator, discriminator = built("sngan_cnn")
    for layer in of(generator, nn.Conv2d, nn.ConvTranspose2d):
        assert drawn_uniformly(layer.weight, glorot(layer.weight)), layer
    assert drawn_uniformly(generator.project.weight, fan_in(generator.project.weight))
    assert not zero(generator.project.bias)
    for embedding in of(generator, nn.Embedding):
        assert drawn_uniformly(embedding.weight, len(embedding.weight) ** -0.5)  # a linear layer of one-hot labels
    for layer in of(discriminator, *WEIGHTED):
        weight = layer.parametrizations.weight.original
        assert drawn_uniformly(weight, fan_in(weight)), layer
        assert layer.bias is None or zero(layer.bias), layer


@pytest.mark.parametrize(
    ("network", "eps", "momentum"),
    [
        (lambda: mlp.Generator(5, 4, 1, [8, 8]), 1e-3, 0.01),
        (lambda: mlp.Generator(5, 4, 1, [8, 8], norm="inert"), 1e-3, 0.1),
        (lambda: dcgan.MnistGenerator(5, 8, 1, affine=False), 1e-5, 0.1),
        (lambda: dcgan.Generator(5, 8, 1), DCGAN_EPS, 0.1),
        (lambda: sngan_cnn.Generator(5, 8, 1), 1e-5, 0.1),
        (lambda: sngan_cnn.Generator(5, 8, 1, CLASSES), 1e-4, 0.1),
        (lambda: resnet.Generator(5, 8, 1, [8, 8]), 1e-5, 0.1),
        (lambda: resnet.Generator(5, 8, 1, [8, 8], CLASSES), 1e-4, 0.1),
    ],
    ids=[
        "mlp", "mlp inert", "dcgan_mnist", "dcgan", "sngan_cnn", "sngan_cnn conditional", "resnet",
        "resnet conditional",
    ],
)  # fmt: skip
def test_constants_of_batch_norm(network, eps, momentum):
    layers = of(network(), nn.modules.batchnorm._BatchNorm)
    assert layers
    assert {(layer.eps, layer.momentum) for layer in layers} == {(eps, momentum)}


def plain_layers(network):
    """Names of the convolutions and linear layers without spectral norm."""
    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, WEIGHTED)}
    return {name for name, layer in layers.items() if not is_parametrized(layer, "weight")}


# Of generator and discriminator: the layers without spectral norm, where the network has it at all.
PLAIN = {
    "sagan": (set(), set()),
    "sagan48": ({"out"}, set()),
    "sagan96": ({"out"}, {"out"}),
    **{option: (None, set()) for option in ("sngan", "sngan48", "sngan96", "sngan_cnn")},
    **{option: (None, None) for option in ("mlp", "dcgan", "dcgan_mnist")},
}


@pytest.mark.parametrize("option", PLAIN)
def test_plain_layers(option):
    for network, plain in zip(built(option), PLAIN[option], strict=True):
        if plain is None:
            assert not any(is_parametrized(layer) for layer in network.modules())
        else:
            assert plain_layers(network) == plain
            assert not any(is_parametrized(layer) for layer in of(network, nn.Embedding))


def test_every_model_is_among_them():
    assert set(PLAIN) == {file.stem for file in (CONF / "model").glob("*.yaml")}


def test_the_last_layer_of_sngan_cnn_is_plain_where_asked_for():
    network = sngan_cnn.Discriminator(16, 3, CLASSES, width=4, norm_last=False)
    assert plain_layers(network) == {"out"}
