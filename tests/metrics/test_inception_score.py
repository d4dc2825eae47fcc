"""The Inception Score, compared with torch-fidelity's Inception Score and with closed forms."""

import pytest
import torch
from helpers.scores import Stub, feed, make_scores, score_features
from torch_fidelity.metric_isc import isc_features_to_metric

from ganexp.errors import UserError
from ganexp.metrics.fid import FID
from ganexp.metrics.inception_score import InceptionScore, assign_splits


def inception_score(logits, splits):
    features = torch.zeros(len(logits), 1)
    return score_features(lambda context: InceptionScore(context, splits), torch.rand(9, 1), features, logits)


@pytest.mark.parametrize(("count", "splits"), [(1037, 10), (60, 1), (101, 7)])
def test_inception_score_is_torch_fidelitys(count, splits):
    logits = torch.randn(count, 12, generator=torch.Generator().manual_seed(0)) * 3
    values, theirs = inception_score(logits, splits), isc_features_to_metric(logits, splits)
    assert values["is_stub"] == pytest.approx(theirs["inception_score_mean"], rel=1e-9)
    if splits > 1:
        assert values["is_stub_std"] == pytest.approx(theirs["inception_score_std"], rel=1e-6, abs=1e-9)


def test_inception_score_of_certain_and_of_uncertain_classes():
    certain = torch.eye(4).repeat(100, 1) * 255  # each sample is surely one of four classes
    assert inception_score(certain, 2)["is_stub"] == pytest.approx(4, rel=0.01)
    assert inception_score(torch.zeros(400, 4), 2)["is_stub"] == pytest.approx(1, abs=1e-6)


def test_inception_score_of_one_split_has_no_spread():
    logits = torch.randn(40, 4, generator=torch.Generator().manual_seed(1))
    p = logits.double().softmax(1)
    expected = (p * (p / p.mean(0)).log()).sum(1).mean().exp().item()
    assert inception_score(logits, 1) == {"is_stub": pytest.approx(expected, rel=1e-9)}


def test_inception_score_direction_and_spread():
    scores = make_scores({"is": lambda context: InceptionScore(context, 2)}, torch.rand(9, 1), 9, Stub(1, 3))
    assert scores.info() == {
        "is_stub": {"higher_is_better": True, "plot_scale": "linear"},
        "is_stub_std": {"spread_of": "is_stub", "spread": "standard deviation over 2 splits"},
    }


def test_protocol_has_the_number_of_splits_if_there_is_an_inception_score():
    def protocol(**factories):
        return make_scores(factories, torch.rand(9, 2), 90, Stub(2, 3)).protocol()

    ten, two = protocol(fid=FID, inception=InceptionScore), protocol(fid=FID, inception=lambda c: InceptionScore(c, 2))
    assert "scores" not in ten
    assert two["scores"] == {"inception": {"splits": 2}}
    assert ten["id"] != two["id"]
    assert "splits" not in protocol(fid=FID)


def test_splits_are_of_equal_size_and_shuffled():
    splits = assign_splits(100, 4)
    assert splits.bincount().tolist() == [25, 25, 25, 25]
    assert splits[:50].bincount().min() > 0


def test_inception_score_without_logits_is_refused():
    with pytest.raises(UserError, match="stub gives no class logits"):
        make_scores({"is": InceptionScore}, torch.rand(9, 1), 90, Stub(1))


def test_inception_score_of_fewer_samples_than_splits_is_refused():
    with pytest.raises(ValueError, match="splits=10 is more than the number of samples, 9"):
        make_scores({"is": InceptionScore}, torch.rand(9, 1), 9, Stub(1, 3))


def test_inception_score_states_do_not_grow():
    sizes = set()
    for count in (50, 5000):
        scores = make_scores({"is": InceptionScore}, torch.rand(9, 1), count, Stub(1, 3))
        feed(scores, torch.zeros(count, 1), torch.zeros(count, 3))
        sizes.add(sum(value.numel() for value in scores.scores["is"].metric_state.values()))
    assert sizes == {10 * 3 + 10 + 10}
