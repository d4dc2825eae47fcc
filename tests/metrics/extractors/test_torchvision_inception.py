"""torchvision's Inception-v3, whose inputs are scaled as in the SNGAN and SAGAN articles."""

import pytest
import torch
from helpers.networks import assert_equal_features, draw_weights
from torch.nn.functional import interpolate
from torchvision.models import inception_v3
from torchvision.transforms.functional import normalize

from ganexp.errors import UserError
from ganexp.metrics.extractors.torchvision_inception import TorchvisionInceptionExtractor


@pytest.mark.slow
def test_inputs_are_scaled_as_in_the_articles(tmp_path):
    torch.manual_seed(0)
    network = draw_weights(inception_v3(init_weights=False, transform_input=False)).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    extractor = TorchvisionInceptionExtractor(str(tmp_path / "weights.pth"))
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    scaled = normalize(images.float() / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = network(interpolate(scaled, (299, 299), mode="bilinear", align_corners=True))
    features, logits = extractor(images)
    assert_equal_features(logits, expected)
    assert (features.shape, logits.shape) == ((2, 2048), (2, 1000))
    assert (extractor.feature_dim, extractor.num_logits) == (2048, 1000)
    assert (extractor.name, len(extractor.identity)) == ("inception_torchvision", 64)
    assert extractor(images[:, :1])[1].shape == (2, 1000)


def test_weights_of_another_network_are_refused(random_inception):
    with pytest.raises(UserError, match=r"does not fit torchvision's Inception-v3"):
        TorchvisionInceptionExtractor(str(random_inception))


def test_missing_weights_name_the_right_file():
    with pytest.raises(UserError, match=r"inception_v3_google(.|\n)*metrics.weights=FILE"):
        TorchvisionInceptionExtractor(None)
