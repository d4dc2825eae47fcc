"""The Inception-v3 that the literature uses for IS, FID and KID."""

import hashlib

import pytest
import torch
from helpers.networks import assert_equal_features
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from ganexp.errors import UserError
from ganexp.metrics.extractors.inception import InceptionExtractor


@pytest.mark.slow
def test_inception_is_torch_fidelitys(random_inception):
    extractor = InceptionExtractor(str(random_inception))
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    theirs = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], str(random_inception))
    with torch.no_grad():
        for ours, expected in zip(extractor(images), theirs(images), strict=True):
            assert_equal_features(ours, expected)
    grey = images[:, :1]
    assert torch.equal(extractor(grey)[0], extractor(grey.repeat(1, 3, 1, 1))[0])
    features, logits = extractor(images)
    assert (features.shape, logits.shape) == ((2, extractor.feature_dim), (2, extractor.num_logits))
    assert extractor.identity == hashlib.sha256(random_inception.read_bytes()).hexdigest()
    assert not extractor.knows_labels


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"fc.weight": torch.ones(1)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"does not fit torch-fidelity's Inception-v3"):
        InceptionExtractor(str(tmp_path / "other.pth"))


def test_missing_weights_name_the_right_file():
    with pytest.raises(UserError, match=r"weights-inception-2015-12-05-6726825d.pth(.|\n)*metrics.weights=FILE"):
        InceptionExtractor(None)
