"""Keep the states of optimizers in the memory format of the parameters."""

import torch
from torch.optim import Optimizer


def use_memory_format_of_parameters(optimizer: Optimizer) -> None:
    """Store every tensor of the optimizer's state with the strides of the parameter that it belongs to.

    A checkpoint keeps strides. Without this function, a run that is resumed with another `trainer.channels_last` would
    have optimizer moments whose strides differ from the strides of the weights. Fused optimizers read moments and
    weights in the order of memory, so that they would mix up the elements.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            is_like_parameter = isinstance(value, torch.Tensor) and value.shape == parameter.shape
            if is_like_parameter and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
