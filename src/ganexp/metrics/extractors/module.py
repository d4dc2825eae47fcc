"""Any PyTorch module as a feature extractor."""

import hashlib
import inspect

from torch import Tensor, nn

from ganexp.errors import UserError
from ganexp.metrics.extractors.base import Extractor, hash_weights


class ModuleExtractor(Extractor):
    """A module in eval mode, without gradients.

    Its name is the module's attribute `name`, or else its class in lower case; attributes `input` and `facts` are taken
    over as well. Its identity depends on the weights and on the source code of the class, so that statistics which an
    earlier version computed are not used.

    Args:
        module: maps uint8 images (N, C, H, W) to features (N, d), or to a tuple of features and class logits (N, K).
            Without logits there is no Inception Score.
        images: a few uint8 images (N, C, H, W) to try it on.

    Raises:
        UserError: the module returns something else.
    """

    def __init__(self, module: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.module = module.eval().requires_grad_(False)
        kind = type(module)
        self.name = getattr(module, "name", kind.__name__.lower())
        self.input = getattr(module, "input", "as it is, 8 bits a channel")
        self.facts = getattr(module, "facts", {})
        code = f"{kind.__module__}.{kind.__qualname__} {inspect.getsource(kind)} {hash_weights(module.state_dict())}"
        self.identity = hashlib.sha256(code.encode()).hexdigest()
        features, logits = self(images)
        check_shape(kind.__name__, "features", features, len(images))
        if logits is not None:
            check_shape(kind.__name__, "logits", logits, len(images))
        self.feature_dim = features.shape[1]
        self.num_logits = None if logits is None else logits.shape[1]

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return features (N, d) and logits (N, K), or None, of uint8 images (N, C, H, W)."""
        output = self.module(images)
        return output if isinstance(output, tuple) else (output, None)


def check_shape(extractor: str, kind: str, output: object, count: int) -> None:
    """Raise UserError unless `output` is a matrix with a row for each of `count` images."""
    shape = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != count:
        raise UserError(
            f"The extractor {extractor} must return a row for each image: {kind} of {count} images are "
            f"{shape}, not (N, d)"
        )
