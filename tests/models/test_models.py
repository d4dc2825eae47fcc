"""Networks: published parameter counts, shapes, and the choices that change them."""

import pytest
import torch

from ganexp.models import dcgan, mlp, sngan_cnn
from ganexp.models.classifier import Classifier
from ganexp.models.layers import InertBatchNorm, Latent, ProjectionHead

TEXTBOOK = {"hidden": [128, 128, 128]}


def count(network):
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("network", "published"),
    [
        (lambda: mlp.Generator(100, 28, 1, [256, 256]), 294_160),
        (lambda: mlp.Discriminator(28, 1, **TEXTBOOK, logits=2), 133_762),
        (lambda: mlp.Generator(100, 28, 1, **TEXTBOOK), 147_856),
        (lambda: mlp.Discriminator(28, 1, **TEXTBOOK), 133_633),
        (lambda: mlp.Generator(100, 28, 1, **TEXTBOOK, num_classes=10), 156_816),
        (lambda: mlp.Discriminator(28, 1, **TEXTBOOK, num_classes=10), 142_465),
        (lambda: dcgan.MnistGenerator(100, 28, 1, affine=False), 6_738_689),
        (lambda: dcgan.MnistDiscriminator(28, 1), 1_812_737),
        (lambda: dcgan.Discriminator(32, 3, norm="none"), 5_860_865),
        (lambda: dcgan.Generator(128, 32, 3, num_classes=10, first_norm=False), 3_894_275),
        (lambda: sngan_cnn.Generator(128, 32, 3), 3_812_355),
        (lambda: sngan_cnn.Discriminator(32, 3, norm_last=False), 2_935_873),
    ],
    ids=[
        "gan G",
        "gan D",
        "wgan_gp G",
        "wgan_gp D",
        "cgan G",
        "cgan D",
        "dcgan G",
        "dcgan D",
        "chainer-gan-lib critic",
        "ac_wgan_gp G",
        "sngan_cnn G",
        "sngan_cnn D",
    ],
)
def test_published_counts(network, published):
    assert count(network()) == published


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize(
    ("generator", "discriminator", "resolution", "channels"),
    [
        (mlp.Generator, mlp.Discriminator, 8, 1),
        (mlp.Generator, mlp.Discriminator, 11, 3),
        (sngan_cnn.Generator, sngan_cnn.Discriminator, 8, 1),
        (sngan_cnn.Generator, sngan_cnn.Discriminator, 48, 3),
        (dcgan.MnistGenerator, dcgan.MnistDiscriminator, 28, 1),
        (dcgan.MnistGenerator, dcgan.MnistDiscriminator, 32, 3),
        *[(dcgan.Generator, dcgan.Discriminator, r, c) for r, c in ((8, 1), (28, 1), (32, 3), (48, 3), (96, 3))],
    ],
)
def test_shapes(generator, discriminator, resolution, channels, conditional):
    size = (
        {"hidden": [16, 16]}
        if generator is mlp.Generator
        else {"width": 4}
        if generator in (dcgan.Generator, sngan_cnn.Generator)
        else {}
    )
    classes = 5 if conditional else 0
    labels = torch.arange(3) if conditional else None
    g = generator(12, resolution, channels, num_classes=classes, **size)
    d = discriminator(resolution, channels, num_classes=classes, **size)
    images = g(torch.randn(3, 12), labels)
    assert images.shape == (3, channels, resolution, resolution)
    assert images.abs().max() <= 1
    assert d(images, labels).shape == (3,)
    if not conditional:
        assert discriminator(resolution, channels, logits=2, **size)(images).shape == (3, 2)


@pytest.mark.parametrize("network", [mlp.Discriminator(8, 1, [16, 16], 5), dcgan.Discriminator(8, 1, 4, num_classes=5)])
def test_labels_change_the_logit(network):
    image = torch.randn(2, 1, 8, 8)
    network.eval()
    assert not torch.allclose(network(image, torch.tensor([0, 0])), network(image, torch.tensor([1, 1])))


@pytest.mark.parametrize(
    ("resolution", "expected"), [(28, (7, 2)), (32, (4, 3)), (48, (6, 3)), (96, (6, 4)), (8, (4, 1))]
)
def test_pyramid(resolution, expected):
    assert dcgan.pyramid(resolution) == expected


def test_pyramid_names_the_nearest_resolution():
    with pytest.raises(ValueError, match=r"resolution 50 .* data.resolution=48"):
        dcgan.pyramid(50)


def test_embedding_joins_after_the_first_layer_before_its_activation():
    network = mlp.Discriminator(2, 1, [3, 4], num_classes=2, embedding_dim=2, slope=0.5)
    x, label = torch.randn(1, 1, 2, 2), torch.tensor([1])
    trunk = network.body
    joined = torch.cat([trunk.first(x.flatten(1)), trunk.embedding(label)], 1)
    activated = torch.where(joined > 0, joined, 0.5 * joined)  # the label's code passes the activation, too
    second = trunk.rest[2](activated)
    expected = network.out(torch.where(second > 0, second, 0.5 * second)).squeeze(1)
    assert torch.allclose(network(x, label), expected)


def test_inert_batch_norm():
    layer = InertBatchNorm(3, eps=1e-3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        layer.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    x = torch.randn(7, 3)
    assert torch.allclose(layer.train()(x), x * layer.weight / 1.001**0.5 + layer.bias)
    assert torch.equal(layer.running_mean, torch.zeros(3))
    assert torch.equal(layer.eval()(x), layer.train()(x))


def test_same_padding_is_tensorflows():
    """SAME for 5x5, stride 2, even input: one pixel before, two after; the transpose is its adjoint."""
    down, up = dcgan.SameConv2d(1, 1), dcgan.SameConvTranspose2d(1, 1)
    assert down(torch.zeros(1, 1, 28, 28)).shape[-1] == 14
    assert up(torch.zeros(1, 1, 14, 14)).shape[-1] == 28
    with torch.no_grad():
        up.weight.copy_(down.weight)
        down.bias.zero_()
        up.bias.zero_()
    x, y = torch.randn(1, 1, 28, 28), torch.randn(1, 1, 14, 14)
    assert torch.allclose((down(x) * y).sum(), (x * up(y)).sum(), rtol=1e-4, atol=1e-4)


def test_projection_head():
    head = ProjectionHead(4, num_classes=3)
    h, labels = torch.randn(2, 4), torch.tensor([2, 0])
    by_hand = h @ head.linear.weight[0] + head.linear.bias[0] + (head.embedding.weight[labels] * h).sum(1)
    assert torch.allclose(head(h, labels), by_hand)
    with pytest.raises(ValueError, match="one logit"):
        ProjectionHead(4, num_classes=3, logits=2)


def test_latents():
    generator = torch.Generator().manual_seed(0)
    normal, uniform = (
        Latent(64).sample(2000, generator=generator),
        Latent(64, "uniform").sample(2000, generator=generator),
    )
    assert normal.shape == (2000, 64)
    assert abs(normal.std().item() - 1) < 0.01
    assert uniform.min() >= -1
    assert uniform.max() <= 1
    assert abs(uniform.var().item() - 1 / 3) < 0.01
    with pytest.raises(ValueError, match="normal or uniform"):
        Latent(4, "gauss")


def test_classifier():
    features, logits = Classifier(28, 1, 10)(torch.randn(2, 1, 28, 28))
    assert features.shape == (2, 256)
    assert logits.shape == (2, 10)


def test_label_code_of_plus_and_minus_one():
    generator = dcgan.Generator(3, 8, 1, 4, num_classes=4, label_code="plus_minus")
    seen = []
    generator.project.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    generator(torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]), torch.tensor([2, 0]))
    codes = [[-1, -1, 1, -1], [1, -1, -1, -1]]
    assert torch.equal(seen[0][:, 3:], torch.tensor(codes, dtype=torch.float))
    with pytest.raises(ValueError, match="label_code=two_hot"):
        dcgan.Generator(3, 8, 1, 4, num_classes=4, label_code="two_hot")


def test_slope_and_first_norm_of_the_generator():
    layers = list(dcgan.Generator(3, 8, 1, 4, slope=0.2, first_norm=False).body)
    assert isinstance(layers[0], torch.nn.Identity)
    assert [layer.negative_slope for layer in layers if isinstance(layer, torch.nn.LeakyReLU)] == [0.2, 0.2]
    plain = list(dcgan.Generator(3, 8, 1, 4).body)
    assert isinstance(plain[0], torch.nn.BatchNorm2d)
    assert not any(isinstance(layer, torch.nn.LeakyReLU) for layer in plain)


def test_sngan_cnn_bounds_its_layers_and_projects_labels():
    network = sngan_cnn.Discriminator(16, 1, num_classes=3, width=4)
    images = torch.randn(2, 1, 16, 16)
    for _ in range(60):
        network(images, torch.tensor([0, 1]))
    weights = [layer.weight for layer in network.modules() if hasattr(layer, "parametrizations")]
    assert len(weights) == 9
    assert all(torch.linalg.matrix_norm(w.flatten(1), 2) < 1.05 for w in weights)
    network.eval()
    assert not torch.allclose(network(images, torch.tensor([0, 1])), network(images, torch.tensor([1, 0])))
    with pytest.raises(ValueError, match="one logit"):
        sngan_cnn.Discriminator(16, 1, num_classes=3, logits=2)
    with pytest.raises(ValueError, match=r"data.resolution=24"):
        sngan_cnn.Generator(8, 28, 1)
