"""Estimate how many kernels an operation of torch launches on a GPU.

The numbers are lower bounds, because they leave out the kernels with which cuDNN may rearrange the inputs of a
convolution.
"""

from typing import Any

import torch
from torch._ops import OpOverload

# Operations that only describe or allocate memory. Views are recognised separately.
WITHOUT_KERNEL = (
    *("empty", "new_empty", "lift_fresh", "detach", "alias", "_unsafe_view", "set_", "_local_scalar_dense"),
    *("is_same_size", "_has_compatible_shallow_copy_type", "sym_", "size", "stride", "is_pinned"),
)
TENSORS_IN_A_KERNEL = 30  # maximum number of tensors that one kernel handles, in an operation on a list of tensors
BLOCKS_IN_A_KERNEL = 320
ELEMENTS_IN_A_BLOCK = 65536


def count_launches(function: OpOverload, arguments: tuple[Any, ...]) -> int:
    """Return the number of kernels that the operation launches with these positional arguments."""
    namespace, name = function._schema.name.split("::")
    if namespace == "prim" or function.is_view or name.startswith(WITHOUT_KERNEL):
        return 0
    if name == "convolution":
        bias = arguments[2]
        return 1 if bias is None else 2
    if name == "convolution_backward":
        wanted = arguments[-1]  # whether the gradients of the input, the weight and the bias are wanted
        return sum(wanted)
    if name.startswith(("_foreach", "_fused")):
        return _launches_for_a_list(arguments[0])
    return 1


def _launches_for_a_list(tensors: list[torch.Tensor]) -> int:
    blocks = sum(-(-tensor.numel() // ELEMENTS_IN_A_BLOCK) for tensor in tensors)
    return max(-(-len(tensors) // TENSORS_IN_A_KERNEL), -(-blocks // BLOCKS_IN_A_KERNEL))
