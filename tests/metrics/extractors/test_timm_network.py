"""Networks of timm as feature extractors. Most tests need the extra ganexp[timm], which is not part of `make setup`."""

import sys

import pytest
import torch
from helpers.config import config
from helpers.networks import assert_equal_features, draw_weights

from ganexp.config.instantiate import instantiate
from ganexp.errors import UserError

IMAGES = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def extractor(model, *overrides):
    cfg = config("metrics=timm", f"metrics.extractor.model={model}", *overrides)
    return instantiate(cfg.metrics.extractor, "metrics.extractor")


@pytest.fixture
def timm():
    return pytest.importorskip("timm", reason="the extra ganexp[timm] is not installed")


@pytest.fixture
def weights(timm, tmp_path):
    """Return a function that saves random weights of a network and returns the override that names the saved file."""

    def save(model, file="weights.pth"):
        state = draw_weights(timm.create_model(model)).state_dict()
        if file.endswith(".safetensors"):
            from safetensors.torch import save_file

            save_file(state, tmp_path / file)
        else:
            torch.save(state, tmp_path / file)
        return f"metrics.weights={tmp_path / file}"

    return save


@pytest.mark.parametrize("file", ["weights.pth", "weights.safetensors"])
def test_features_and_logits_are_those_of_the_network(timm, weights, file):
    override = weights("test_resnet.r160_in1k", file)
    ours = extractor("test_resnet.r160_in1k", override, "metrics.extractor.size=32")
    network = timm.create_model("test_resnet.r160_in1k", checkpoint_path=override.split("=")[1]).eval()
    mean, deviation = (torch.tensor(network.pretrained_cfg[key])[:, None, None] for key in ("mean", "std"))
    with torch.no_grad():
        expected = network((IMAGES / 255 - mean) / deviation)
        features, logits = ours(IMAGES)
        assert_equal_features(logits, expected)
        assert_equal_features(network.get_classifier()(features), expected)
    assert (ours.name, ours.feature_dim, ours.num_logits) == ("test_resnet_r160_in1k", features.shape[1], 1000)
    assert ours.input.startswith("8 bits a channel, grey repeated to three channels; 32x32, bilinear")
    assert ours(IMAGES[:, :1])[1].shape == (2, 1000)


def test_images_get_the_size_of_a_vision_transformer(weights):
    override = weights("vit_tiny_patch16_224")
    ours = extractor("vit_tiny_patch16_224", override)
    assert ours(IMAGES)[0].shape == (2, ours.feature_dim) == (2, 192)
    assert "; 224x224, " in ours.input
    with pytest.raises(UserError, match=r"metrics.extractor.size=32 does not fit vit_tiny_patch16_224 .*leave out"):
        extractor("vit_tiny_patch16_224", override, "metrics.extractor.size=32")


def test_identity_depends_on_the_weights(weights):
    files = [weights("test_resnet.r160_in1k", file) for file in ("a.pth", "b.pth")]
    first, second = (extractor("test_resnet.r160_in1k", file).identity for file in files)
    assert first != second
    assert extractor("test_resnet.r160_in1k", files[0]).identity == first


@pytest.mark.parametrize("model", ["resnet051", "resnet50.a9_in1k", "hf-hub:resnet50"])
def test_unknown_network_lists_similar_names(timm, model):
    with pytest.raises(UserError, match=rf"metrics.extractor.model={model}: .* has no such network; .*resnet50"):
        extractor(f"'{model}'")


def test_weights_of_another_network_are_refused(weights):
    with pytest.raises(UserError, match=r"weights.pth does not fit test_vit.r160_in1k"):
        extractor("test_vit.r160_in1k", weights("test_resnet.r160_in1k"))


def test_nothing_is_downloaded(timm):
    with pytest.raises(UserError, match=r"downloads nothing: .*metrics.weights=FILE, .* of resnet18"):
        extractor("resnet18")
    with pytest.raises(UserError, match=r"metrics.weights=.*none.pth: no such file"):
        extractor("resnet18", "metrics.weights=/none.pth")


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"pip install 'ganexp\[timm\]'"):
        extractor("resnet18", "metrics.weights=/none.pth")
