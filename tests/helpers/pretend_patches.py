"""Functions that replace functions of torch for pretend CUDA tensors; see `pretend_cuda.py`."""

from functools import cache

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor


def is_cuda(value):
    """Return whether a value is a pretend CUDA tensor."""
    return isinstance(value, FakeTensor) and value.fake_device.type == "cuda"


class Autocast:
    """Tell the recorder which autocasts are entered.

    Args:
        recorder: the `PretendCuda` that says which device a tensor has.
    """

    def __init__(self, recorder):
        self.recorder = recorder
        self.enter, self.leave = torch.autocast.__enter__, torch.autocast.__exit__

    def patches(self):
        """Yield the parts of torch to replace: for each part, its owner, its name and the new value."""
        yield torch.autocast, "__enter__", lambda autocast: self._enter(autocast)
        yield torch.autocast, "__exit__", lambda autocast, *error: self._leave(autocast, *error)

    def _enter(self, autocast):
        if autocast.device == "cuda":
            self.recorder.autocasts.append(autocast._enabled)
        return self.enter(autocast)

    def _leave(self, autocast, *error):
        if autocast.device == "cuda":
            self.recorder.autocasts.pop()
        return self.leave(autocast, *error)


class Leaves:
    """Before an autocast begins, let autograd make the nodes of tensors that require a gradient.

    Args:
        recorder: the `PretendCuda` that keeps the nodes.
    """

    def __init__(self, recorder):
        self.recorder = recorder
        self.require = torch.Tensor.requires_grad_

    def patches(self):
        """Yield the parts of torch to replace: for each part, its owner, its name and the new value."""
        yield torch.Tensor, "requires_grad_", lambda tensor, on=True: self._require_gradient(tensor, on)
        yield torch.nn.Module, "_apply", lambda module, function, recurse=True: self._apply(module, function)

    def _require_gradient(self, tensor, on):
        leaf = self.require(tensor, on)
        if on and leaf.is_leaf and is_cuda(leaf):
            self.recorder.keep_leaf(leaf)
        return leaf

    def _apply(self, module, function):
        """Apply a function to a module's tensors. Make new parameters, because pretend tensors cannot be swapped."""
        for child in module.children():
            child._apply(function)
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = self._moved(parameter, function)
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else function(buffer)
        return module

    def _moved(self, parameter, function):
        with torch.no_grad():
            tensor = function(parameter)
        moved = torch.nn.Parameter(tensor, parameter.requires_grad)
        if parameter.requires_grad and is_cuda(moved):
            self.recorder.keep_leaf(moved)
        return moved


def to_numpy(tensor):
    """Return zeros in place of the values of a pretend CPU tensor."""
    if is_cuda(tensor):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")
    return np.zeros(tuple(tensor.shape), dtype=str(tensor.dtype).removeprefix("torch."))


PATCHES = (
    (torch.Tensor, "__deepcopy__", lambda tensor, memo: tensor.detach().clone()),
    (torch.Tensor, "pin_memory", lambda tensor, *args: tensor),
    (FakeTensor, "numpy", to_numpy),
    (torch.cuda.amp.common, "amp_definitely_not_available", lambda: False),
    # FakeTensorMode asks for a driver before each operation, and the answer takes a fifth of the time
    (torch.cuda, "is_available", cache(torch.cuda.is_available)),
    (torch.cuda, "is_bf16_supported", lambda *args, **options: True),
    (torch.cuda, "current_device", lambda: 0),
    # like the real functions, these do not wait for the GPU
    (torch.cuda, "get_rng_state", lambda *args: torch.zeros(16, dtype=torch.uint8)),
    (torch.cuda, "set_rng_state", lambda *args: None),
    (torch, "set_rng_state", lambda *args: None),
    (torch.cuda, "mem_get_info", lambda *args: (2**36, 2**36)),
)
