"""The bootstrap interval of the FID, compared with the spread of many draws."""

import numpy as np
import pytest
import torch
from helpers.scores import Stub, make_reference, make_scores, score_features

from ganexp.metrics.fid_interval import FIDInterval, bootstrap_interval
from ganexp.metrics.frechet import FrechetDistance, fit_gaussian


def test_interval_is_as_wide_as_the_spread_of_many_draws():
    """The bootstrap interval of one draw is as wide as the interval that holds 95 % of the distances of many draws."""
    generator = torch.Generator().manual_seed(1)
    distance = FrechetDistance(torch.zeros(4).double(), torch.eye(4).double())
    draws = [torch.randn(500, 4, generator=generator) * 1.3 + 0.2 for _ in range(200)]
    distances = torch.tensor([distance(*fit_gaussian(x)) for x in draws])
    low, high = distances.quantile(torch.tensor([0.025, 0.975])).tolist()
    widths = []
    for x in draws[:10]:
        interval = bootstrap_interval(x, distance)
        assert interval[0] < distance(*fit_gaussian(x)) < interval[1]
        widths.append(interval[1] - interval[0])
    assert np.mean(widths) == pytest.approx(high - low, rel=0.15)
    assert bootstrap_interval(draws[0], distance) == bootstrap_interval(draws[0], distance)


def of_test(end):
    return {"reference": "test", "row": f"fid_stub_{end}"}


def test_interval_ends_belong_to_the_fid_of_each_reference():
    generator = torch.Generator().manual_seed(0)
    real = {split: torch.randn(60, 3, generator=generator) for split in ("train", "test")}
    fake = torch.randn(50, 3, generator=generator)
    values = score_features(FIDInterval, real, fake)
    for split, ending in (("train", ""), ("test", "_test")):
        expected = bootstrap_interval(fake, make_reference(real[split]).distance)
        assert (values[f"fid_stub{ending}_low"], values[f"fid_stub{ending}_high"]) == pytest.approx(expected, rel=1e-9)
    assert make_scores({"fid_interval": FIDInterval}, real, 50, Stub(3)).info() == {
        "fid_stub_low": {"spread_of": "fid_stub", "spread": "95 % bootstrap interval"},
        "fid_stub_high": {"spread_of": "fid_stub", "spread": "95 % bootstrap interval"},
        "fid_stub_test_low": {"spread_of": "fid_stub_test", "spread": "95 % bootstrap interval"} | of_test("low"),
        "fid_stub_test_high": {"spread_of": "fid_stub_test", "spread": "95 % bootstrap interval"} | of_test("high"),
    }
