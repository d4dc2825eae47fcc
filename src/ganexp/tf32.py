"""Choose whether a GPU computes with TF32, which has the exponents of 32-bit numbers and mantissas of 10 bits.

torch has one setting for convolutions, which is on by default, and one for matrix products, which is off by default.
This module sets both of them together. On a machine without a GPU nothing is changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def use_tf32(on: bool) -> None:
    """Set whether convolutions and matrix products of 32-bit numbers use TF32 on a GPU."""
    if torch.cuda.is_available():
        torch.backends.cudnn.allow_tf32 = on
        torch.set_float32_matmul_precision("high" if on else "highest")


@contextmanager
def without_tf32() -> Iterator[None]:
    """Compute convolutions and matrix products in full 32 bits on a GPU, as on a CPU."""
    convolutions, products = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    use_tf32(False)
    try:
        yield
    finally:
        if torch.cuda.is_available():
            torch.backends.cudnn.allow_tf32 = convolutions
            torch.set_float32_matmul_precision(products)
