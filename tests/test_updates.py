"""Update rules and learning-rate decay."""

import pytest
import torch

from ganexp.updates import FixedRatio, LinearDecay


def test_fixed_ratio_counts():
    rule = FixedRatio(n_critic=3)
    assert [rule.enough(n, torch.tensor(0.0)) for n in (1, 2, 3)] == [False, False, True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_critic": 0},
        {"order": "critic_first"},
        {"fakes": "stale"},
        {"labels": {"discriminator": "real", "generator": "same"}},
        {"order": "simultaneous", "n_critic": 2},
    ],
)
def test_wrong_rules_are_refused(wrong):
    with pytest.raises(ValueError, match="="):
        FixedRatio(**wrong)


def test_linear_decay():
    decay = LinearDecay(start=0.5, end=0.1)
    assert [decay(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 1.0, 0.1])
    assert decay(0.75) == pytest.approx(0.55)
    assert LinearDecay()(0.25) == pytest.approx(0.75)
