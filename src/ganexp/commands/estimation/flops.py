"""Count floating-point operations."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class FlopCounter(TorchDispatchMode):
    """Count the floating-point operations of the convolutions, matrix products and attention in a `with` block.

    A multiplication and an addition are two operations. torch's `FlopCounterMode` has the same formulas, but refuses
    gradients with respect to images, and penalties need such gradients.

    Attributes:
        flops: the number of operations so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call `func`, and add the number of its operations to `flops`."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func._overloadpacket in flop_registry:
            self.flops += flop_registry[func._overloadpacket](*args, **kwargs, out_val=result)
        return result
