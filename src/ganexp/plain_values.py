"""Refuse to save values that could not be loaded again without running code."""

import io
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ganexp.errors import UserError

# types that torch can always load; a subclass of one of these types, such as np.float64, may be refused
PLAIN = (type(None), bool, int, float, str, bytes, torch.Tensor, torch.nn.Parameter)


def refuse_unreadable(checkpoint: Mapping[str, Any]) -> None:
    """Check that torch will load every value in `checkpoint` without running code.

    Raises:
        UserError: a value is neither a tensor nor a plain value.
    """
    for part, content in checkpoint.items():
        for name, value in _unreadable(content, part):
            raise UserError(
                f"A checkpoint cannot store {name}, of type {type(value).__module__}.{type(value).__qualname__}: only "
                "tensors and plain values can be loaded without running code.\nConvert the value in the method that "
                "returns it, such as state_dict, for example with float(...), str(...) or torch.as_tensor(...)."
            )


def _unreadable(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the name and the value of each entry of `value` that could not be loaded."""
    if type(value) in (dict, OrderedDict):
        for key, entry in value.items():
            yield from _unreadable(key, f"a key of {name}")
            yield from _unreadable(entry, f"{name}.{key}")
    elif type(value) in (list, tuple, set):
        for index, entry in enumerate(value):
            yield from _unreadable(entry, f"{name}.{index}")
    elif type(value) not in PLAIN and not _is_readable(value):
        yield name, value


def _is_readable(value: Any) -> bool:
    file = io.BytesIO()
    try:
        torch.save(value, file)
        torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    except Exception:  # objects and their classes can raise errors of any type
        return False
    return True
