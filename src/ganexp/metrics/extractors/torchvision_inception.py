"""torchvision's Inception-v3, with the same input preparation as the published code of SNGAN and SAGAN."""

import hashlib

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models import Inception_V3_Weights, inception_v3

from ganexp.errors import UserError
from ganexp.metrics.extractors.base import Extractor, repeat_grey
from ganexp.metrics.extractors.weights import find_weights
from ganexp.pixels import from_uint8


class TorchvisionInceptionExtractor(Extractor):
    """torchvision's Inception-v3 on images that are normalised by ImageNet's mean and deviation.

    The published code of SNGAN and SAGAN normalises in this way, although the weights of this network expect images in
    [-1, 1]. Images are resized to 299x299 pixels with aligned corners. Scores are comparable only with the IS of the
    articles on SAGAN and SNGAN. Two differences from these articles remain: images are rounded to 8 bits, and the
    samples cycle through the classes instead of having random classes.

    Args:
        weights: path of `inception_v3_google-0cc3c7bd.pth`. None uses the file in torch's hub cache;
            if there is no such file, it is downloaded.

    Raises:
        UserError: there are no weights, or the file does not have the weights of this network.
    """

    name = "inception_torchvision"
    input = "8 bits a channel, grey repeated to three channels; ImageNet's mean and deviation; 299x299, aligned corners"
    feature_dim = 2048
    mean: Tensor
    deviation: Tensor

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        path = find_weights(weights, Inception_V3_Weights.IMAGENET1K_V1.url)
        self.network = inception_v3(init_weights=False, transform_input=False)
        try:
            self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except RuntimeError as error:
            raise UserError(f"{path} does not fit torchvision's Inception-v3: {str(error)[:200]}") from None
        self.network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.classes, self.network.fc = self.network.fc, nn.Identity()
        self.num_logits = self.classes.out_features
        self.identity = hashlib.sha256(path.read_bytes()).hexdigest()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, 2048) and logits (N, 1000) of uint8 images (N, C, H, W)."""
        x = (from_uint8(repeat_grey(images), "unit") - self.mean) / self.deviation
        x = interpolate(x, (299, 299), mode="bilinear", align_corners=True)  # (N, 3, H, W) -> (N, 3, 299, 299)
        features = self.network(x)
        return features, self.classes(features)
