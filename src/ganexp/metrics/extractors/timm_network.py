"""Use any network of the library timm as a feature extractor, with weights from a file."""

import hashlib
import json
import re
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ganexp.errors import UserError
from ganexp.metrics.extractors.base import Extractor
from ganexp.metrics.extractors.resizing import RULE, resize
from ganexp.metrics.extractors.weights import read_tensors
from ganexp.types import PositiveInt


class TimmExtractor(Extractor):
    """A network of timm, whose input images are normalised and, by default, resized as in the network's training.

    The features are the inputs of the network's classifier. The name of the extractor is the name of the network in
    lower case, with all characters except letters and digits replaced by underscores.

    Args:
        model: name of the network in timm.
        weights: path of the weights file: a state dict, or a .safetensors file.
        size: height and width to which images are resized; None uses the size of the images in the network's training.

    Raises:
        UserError: timm is not installed, timm has no such network, no weights file is given, the file does not have the
            weights of the network, or the network does not accept the size.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, model: str, weights: str | None = None, size: PositiveInt | None = None) -> None:
        super().__init__()
        timm = _import_timm()
        _check_model(timm, model)
        path = _weights_file(weights, model)
        self.name = re.sub(r"\W+", "_", model.lower())
        self.network = timm.create_model(model, pretrained=False)
        _load(self.network, path, model)
        self.network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        config = timm.data.resolve_model_data_config(self.network)
        self.size = size or config["input_size"][-1]
        for name, values in (("mean", config["mean"]), ("deviation", config["std"])):
            self.register_buffer(name, torch.tensor(values)[:, None, None] * 255)
        self.input = (
            f"8 bits a channel, grey repeated to three channels; {self.size}x{self.size}, {RULE}; "
            f"mean {_list(config['mean'])} and deviation {_list(config['std'])} of [0, 1]"
        )
        self.num_logits = self.network.num_classes or None
        parts = [model, timm.__version__, hashlib.sha256(path.read_bytes()).hexdigest()]
        self.identity = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        self.feature_dim = self._try(model).shape[1]

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return features (N, d), and logits (N, K) or None, for uint8 images (N, C, H, W)."""
        x = (resize(images, self.size) - self.mean) / self.deviation
        maps = self.network.forward_features(x)
        features = self.network.forward_head(maps, pre_logits=True)  # (N, d)
        return features, self.network.forward_head(maps) if self.num_logits else None

    def _try(self, model: str) -> Tensor:
        """Return the features of one black image, after checking that the network accepts the size.

        Raises:
            UserError: the network does not accept the size.
        """
        try:
            return self(torch.zeros(1, 3, self.size, self.size, dtype=torch.uint8))[0]
        except (AssertionError, RuntimeError) as error:
            raise UserError(
                f"metrics.extractor.size={self.size} does not fit {model} ({str(error)[:120]}): leave out this setting"
            ) from None


def _import_timm() -> ModuleType:
    try:
        import timm
        import timm.data
    except ImportError:
        raise UserError("metrics=timm needs one more package: pip install 'ganexp[timm]'") from None
    return timm


def _check_model(timm: Any, model: str) -> None:
    names = [*timm.list_models(), *timm.list_pretrained()]  # both resnet50 and resnet50.a1_in1k are valid
    if model not in names:
        close = get_close_matches(model, names, n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise UserError(f"metrics.extractor.model={model}: timm {timm.__version__} has no such network{hint}")


def _weights_file(weights: str | None, model: str) -> Path:
    if weights is None:
        raise UserError(
            f"metrics=timm downloads nothing: add metrics.weights=FILE, where FILE is the weights file of {model}"
        )
    path = Path(weights).expanduser()
    if not path.is_file():
        raise UserError(f"metrics.weights={weights}: no such file")
    return path


def _load(network: torch.nn.Module, path: Path, model: str) -> None:
    """Load the weights in `path`. A training checkpoint of timm has the weights under the key `state_dict`."""
    state = read_tensors(path)
    state = state.get("state_dict", state)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"{path} does not fit {model}: {str(error)[:200]}") from None


def _list(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
