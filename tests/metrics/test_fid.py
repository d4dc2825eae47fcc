"""FID, compared with torchmetrics' FID and with a closed form; FID at several numbers of samples."""

import pytest
import torch
from helpers.scores import Stub, feed, make_scores, score_features
from torch import nn
from torchmetrics.image import FrechetInceptionDistance

from ganexp.metrics.fid import FID


class Features(nn.Identity):
    """An identity in place of the network in torchmetrics' FID, because the tests pass features, not images."""

    def __init__(self, num_features):
        super().__init__()
        self.num_features = num_features


def gaussian_features(count, dim, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dim, generator=generator) @ torch.randn(dim, dim, generator=generator) + 0.3


@pytest.mark.parametrize("count", [400, 20])  # with 20 samples of 32 features, covariances are singular
def test_fid_is_torchmetrics(count):
    real, fake = gaussian_features(count, 32, 0), gaussian_features(count, 32, 1)
    theirs = FrechetInceptionDistance(Features(32))
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    assert score_features(FID, real, fake)["fid_stub"] == pytest.approx(theirs.compute().item(), rel=1e-5)


def test_fid_is_the_closed_form_of_two_gaussians():
    """FID is ‖μ₁-μ₂‖² + tr(Σ₁ + Σ₂ - 2(Σ₁Σ₂)^½); here, Σ₂ = s²·Σ₁ with s = 0.5, and the trace is (1 - s)²·tr Σ₁."""
    real = gaussian_features(4000, 4, 0)
    fake = (real * 0.5 + 20)[torch.randperm(4000, generator=torch.Generator().manual_seed(0))]
    x = real.double()
    expected = (x.mean(0) * 0.5 - 20).square().sum() + torch.cov(x.T).trace() * 0.25
    assert score_features(FID, real, fake)["fid_stub"] == pytest.approx(expected.item(), rel=1e-6)


def test_fid_of_a_dataset_with_itself_is_zero():
    real = gaussian_features(1000, 4, 0)
    assert score_features(FID, real, real)["fid_stub"] == pytest.approx(0, abs=1e-6)


def test_fid_at_a_count_records_its_number_of_samples():
    references = torch.rand(9, 1)
    info = make_scores({"fid": lambda context: FID(context, [3])}, references, 9, Stub(1)).info()
    assert {name: facts.get("samples") for name, facts in info.items()} == {"fid_stub_3": 3, "fid_stub": None}


def test_fid_at_counts_is_that_of_the_first_samples():
    real = {split: gaussian_features(90, 4, seed) for split, seed in (("train", 0), ("test", 1))}
    fake = gaussian_features(90, 4, 2)
    values = score_features(lambda context: FID(context, [50, 30, 30, 90, 1000]), real, fake)
    assert len(values) == 6  # two references, each at 30, 50 and all 90 samples
    for split, ending in (("train", ""), ("test", "_test")):
        for count, at in ((30, "_30"), (50, "_50"), (90, "")):
            alone = score_features(FID, real[split], fake[:count])["fid_stub"]
            assert values[f"fid_stub{ending}{at}"] == pytest.approx(alone, rel=1e-9)


def test_fid_direction_and_scale():
    scores = make_scores({"fid": FID}, torch.rand(9, 1), 9, Stub(1))
    assert scores.info() == {"fid_stub": {"higher_is_better": False, "plot_scale": "log", "fewest_images": 5_000}}


def test_fid_states_do_not_grow():
    sizes = set()
    for count in (50, 5000):
        scores = feed(make_scores({"fid": FID}, torch.rand(9, 3), count, Stub(3)), torch.rand(count, 3))
        sizes.add(sum(value.numel() for value in scores.scores["fid"].metric_state.values()))
    assert sizes == {3 + 3 * 3 + 1}
