"""Draw the same random numbers on every device."""

import torch
from torch.overrides import TorchFunctionMode

FACTORIES = (torch.rand, torch.randn, torch.randint, torch.randperm)
OF_A_SHAPE = (torch.rand_like, torch.randn_like, torch.randint_like)
IN_PLACE = (torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.bernoulli_)


class RandomOnCpu(TorchFunctionMode):
    """Draw the same random numbers on every device: the numbers are drawn on the CPU, and copied to the device."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in FACTORIES:
            device = kwargs.pop("device", "cpu")
            return func(*args, **kwargs).to(device)
        if func in OF_A_SHAPE:
            return func(args[0].cpu(), *args[1:], **kwargs).to(args[0].device)
        if func in IN_PLACE:
            return args[0].copy_(func(torch.empty_like(args[0], device="cpu"), *args[1:], **kwargs))
        return func(*args, **kwargs)
