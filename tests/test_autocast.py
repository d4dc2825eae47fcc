"""Computations for which autocast is switched off."""

from contextlib import nullcontext

import pytest
import torch

from ganexp.autocast import without_autocast

CPU = torch.device("cpu")


@pytest.mark.parametrize("enabled", [True, False])
def test_products_within_the_context_are_not_in_half_precision(enabled):
    matrix = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
        before = (matrix @ matrix).dtype
        with without_autocast(CPU):
            within = (matrix @ matrix).dtype
        assert (matrix @ matrix).dtype == before == (torch.bfloat16 if enabled else torch.float32)
    assert within == torch.float32


def test_context_does_nothing_where_there_is_no_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        assert isinstance(without_autocast(torch.device("meta")), nullcontext)
    assert isinstance(without_autocast(CPU), nullcontext)
