"""KID, compared with torch-fidelity's KID and with the definition."""

import pytest
import torch
from helpers.scores import Stub, make_scores, score_features
from torch_fidelity.metric_kid import kid_features_to_metric

from ganexp.metrics import kid
from ganexp.metrics.kid import KID, kernel_distance


def features(count, seed, shift=0.0):
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)) + shift


@pytest.mark.slow
def test_kid_is_torch_fidelitys():
    real, fake = features(1200, 0), features(1100, 1, 0.4)
    theirs = kid_features_to_metric(fake, real, kid_subset_size=1000, verbose=False)
    expected = {
        "kid_stub": theirs["kernel_inception_distance_mean"],
        "kid_stub_std": theirs["kernel_inception_distance_std"],
    }
    assert score_features(KID, real, fake) == pytest.approx(expected, rel=1e-4)


def test_kid_of_whole_sets_is_the_unbiased_mmd():
    """If each subset is the whole set, KID is E k(x, x') + E k(y, y') - 2 E k(x, y). No x is paired with itself."""
    real, fake = features(40, 0), features(40, 1, 0.8)
    mean, deviation = kernel_distance(fake, real)
    x, y = fake.double(), real.double()

    def kernel(a, b):
        return (a @ b.T / 6 + 1) ** 3

    within = [(kernel(z, z).sum() - kernel(z, z).trace()) / (40 * 39) for z in (x, y)]
    assert mean == pytest.approx((sum(within) - 2 * kernel(x, y).mean()).item(), rel=1e-4)
    assert deviation == pytest.approx(0, abs=1e-5)


def test_kid_takes_the_first_samples_only(monkeypatch):
    monkeypatch.setattr(KID, "kept_samples", 60)
    real, fake = features(80, 0), features(90, 1)
    changed = torch.cat([fake[:60], fake[60:] + 100])
    assert score_features(KID, real, fake) == score_features(KID, real, changed)
    assert score_features(KID, real, fake)["kid_stub"] == kernel_distance(fake[:60], real)[0]


def test_kid_subset_is_no_larger_than_the_smaller_set(monkeypatch):
    monkeypatch.setattr(kid, "MAX_SUBSET_SIZE", 50)
    real, fake = features(70, 0), features(90, 1)
    theirs = kid_features_to_metric(fake, real, kid_subset_size=50, verbose=False)
    assert kernel_distance(fake, real)[0] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert kernel_distance(fake[:20], real) != kernel_distance(fake[:21], real)  # neither call raises an error


def test_kid_names_and_direction():
    real = {"train": features(9, 0), "test": features(9, 1)}
    info = make_scores({"kid": KID}, real, 10, Stub(6)).info()
    value = {"higher_is_better": False, "plot_scale": "linear"}
    assert info == {
        "kid_stub": value,
        "kid_stub_std": {"spread_of": "kid_stub", "spread": "standard deviation over 100 subsets"},
        "kid_stub_test": {**value, "reference": "test", "row": "kid_stub"},
        "kid_stub_test_std": {"spread_of": "kid_stub_test", "spread": "standard deviation over 100 subsets"},
    }


@pytest.mark.parametrize(
    ("samples", "real", "kept", "has_deviation"),
    [
        (40, 40, 99, False),
        (50, 50, 99, False),
        (51, 51, 99, True),
        (40, 41, 99, True),
        (41, 40, 99, True),
        (60, 30, 30, False),  # only the first `kept` samples count
        (60, 60, 30, True),
    ],
)
def test_kid_of_whole_sets_has_no_deviation(monkeypatch, samples, real, kept, has_deviation):
    """If each subset is the whole set, the deviation over the subsets is 0, and says nothing about the samples."""
    monkeypatch.setattr(kid, "MAX_SUBSET_SIZE", 50)
    monkeypatch.setattr(KID, "kept_samples", kept)
    fake = features(samples, 0)
    values = score_features(KID, {"train": features(real, 1), "test": features(45, 2)}, fake)
    assert ("kid_stub_std" in values) == has_deviation
    assert "kid_stub_test_std" in values
    assert values["kid_stub"] == kernel_distance(fake[:kept], features(real, 1))[0]
