"""Switch autocast off for computations that half precision would make too inaccurate."""

from contextlib import AbstractContextManager, nullcontext

import torch


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return a context without autocast on `device`.

    If autocast is off already, the context does nothing, because entering torch's own context takes time. torch has no
    autocast for the meta device.
    """
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
