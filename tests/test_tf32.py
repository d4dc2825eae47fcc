"""TF32 is set for convolutions and matrix products together, and only where there is a GPU."""

import pytest
import torch

from ganexp.tf32 import use_tf32, without_tf32


def settings():
    return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()


@pytest.fixture
def restored():
    before = settings()
    yield
    torch.backends.cudnn.allow_tf32 = before[0]
    torch.set_float32_matmul_precision(before[1])


def test_tf32_is_set_for_both_kinds_of_products(monkeypatch, restored):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    use_tf32(True)
    assert settings() == (True, "high")
    with without_tf32():
        assert settings() == (False, "highest")
    assert settings() == (True, "high")
    use_tf32(False)
    assert settings() == (False, "highest")


def test_tf32_changes_nothing_without_a_gpu(monkeypatch, restored):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = settings()
    use_tf32(not before[0])
    with without_tf32():
        assert settings() == before
    assert settings() == before
