"""The Inception-v3 that the literature uses for IS, FID and KID, as in torch-fidelity."""

import hashlib

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

from ganexp.errors import UserError
from ganexp.metrics.extractors.base import Extractor, repeat_grey
from ganexp.metrics.extractors.weights import find_weights


class InceptionExtractor(Extractor):
    """torch-fidelity's Inception-v3 with TensorFlow 1's resizing. Grey images are repeated to three channels.

    Args:
        weights: path of `weights-inception-2015-12-05-6726825d.pth`. None uses the file in torch's hub cache;
            if there is no such file, it is downloaded.

    Raises:
        UserError: there are no weights, or the file does not have the weights of this network.
    """

    name = "inception"
    input = "8 bits a channel, grey repeated to three channels; 299x299, bilinear as in TensorFlow 1, no antialiasing"
    feature_dim = 2048

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        path = find_weights(weights, URL_INCEPTION_V3)
        try:
            self.network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], str(path))
        except RuntimeError as error:
            raise UserError(f"{path} does not fit torch-fidelity's Inception-v3: {str(error)[:200]}") from None
        self.network.to(memory_format=torch.channels_last)  # with this format, the network takes a third less time
        self.num_logits = self.network.fc.out_features
        self.identity = hashlib.sha256(path.read_bytes()).hexdigest()

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, 2048), and logits (N, 1008) without the bias term, of uint8 images (N, C, H, W)."""
        return self.network(repeat_grey(images))
