"""Use any PyTorch module as a feature extractor."""

import hashlib
import inspect
import json
import sys

from torch import Tensor, nn

from ganexp.console import count
from ganexp.errors import UserError
from ganexp.metrics.extractors.base import Extractor, hash_weights

# the identity of an extractor does not depend on the source code of these libraries
LIBRARIES = ("builtins", "torch", "torchvision")


class ModuleExtractor(Extractor):
    """A PyTorch module as a feature extractor, in evaluation mode and without gradients.

    The extractor takes the attributes `name`, `input` and `facts` from the module; if the module has no `name`,
    the extractor has the name of the module's class in lower case. The identity of the extractor depends on the weights
    of the module, on `settings`, and on the source code of the files that define the module's class and the classes of
    its layers; files of libraries are left out. If one of these files changes, statistics that were cached before the
    change are not used.

    Args:
        module: module that maps uint8 images (N, C, H, W) to features (N, d), or to a tuple of features and class
            logits (N, K). Without logits, the Inception Score cannot be computed.
        images: a few uint8 images (N, C, H, W) to test the module with.
        settings: text that lists the arguments of the module's constructor.

    Raises:
        UserError: the module returns a tuple that is not a pair, or the features or the logits that it returns do not
            have one row for each image.
    """

    def __init__(self, module: nn.Module, images: Tensor, settings: str = "") -> None:
        super().__init__()
        self.module = module.eval().requires_grad_(False)
        kind = type(module)
        self.name = getattr(module, "name", kind.__name__.lower())
        self.input = getattr(module, "input", "as it is, 8 bits a channel")
        self.facts = getattr(module, "facts", {})
        parts = [*_sources(module), hash_weights(module.state_dict()), settings]
        self.identity = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        features, logits = self(images)
        self.feature_dim = features.shape[1]
        self.num_logits = None if logits is None else logits.shape[1]

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return features (N, d), and logits (N, K) or None, for uint8 images (N, C, H, W).

        Raises:
            UserError: the module returns something else.
        """
        output, name = self.module(images), type(self.module).__name__
        pair = output if isinstance(output, tuple) else (output, None)
        if len(pair) != 2:
            raise UserError(
                f"The extractor {name} must return either features or a pair of features and logits. "
                f"It returned {count(len(pair), 'value')} in a tuple"
            )
        features, logits = pair
        _check_shape(name, "features", features, len(images))
        if logits is not None:
            _check_shape(name, "logits", logits, len(images))
        return features, logits


def _sources(module: nn.Module) -> list[str]:
    """Return `str(module)`, and the names and whole source code of the files that define the classes of its layers.

    The files that define the base classes of these classes are included. Files of libraries are left out.
    """
    files = dict.fromkeys(kind.__module__ for layer in module.modules() for kind in type(layer).__mro__)
    own = [name for name in files if name.split(".")[0] not in LIBRARIES]
    return [str(module), *(f"{name} {inspect.getsource(sys.modules[name])}" for name in own)]


def _check_shape(extractor: str, kind: str, output: object, images: int) -> None:
    """Raise a UserError unless `output` is a matrix with a row for each of `images` images."""
    found = f"a tensor of shape {list(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
    if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != images:
        raise UserError(
            f"The extractor {extractor} must return its {kind} as a matrix with one row for each image. "
            f"For {count(images, 'image')}, it returned {found}"
        )
