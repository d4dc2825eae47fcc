"""Intra-class FID, compared with the FID of each class alone."""

import numpy as np
import pytest
import torch
from helpers.scores import Stub, feed, make_reference, make_scores

from ganexp.errors import UserError
from ganexp.metrics.frechet import FrechetDistance, fit_gaussian
from ganexp.metrics.intra_fid import IntraFID


def test_intra_fid_is_the_mean_of_the_classes_fids():
    real = torch.rand(400, 4, generator=torch.Generator().manual_seed(0))
    fake = torch.rand(200, 4, generator=torch.Generator().manual_seed(1))
    labels, real_labels = torch.arange(200) % 4, torch.arange(400) % 4
    scores = make_scores(
        {"intra_fid": IntraFID},
        real,
        200,
        Stub(4),
        class_reference=lambda c: make_reference(real[real_labels == c]),
        num_classes=4,
    )
    values = feed(scores, fake, labels=labels, batch_size=30).compute()
    expected = [
        FrechetDistance(*fit_gaussian(real[real_labels == c]))(*fit_gaussian(fake[labels == c])) for c in range(4)
    ]
    assert scores.by_class["fid"] == pytest.approx(expected, rel=1e-6)
    assert values == {"intra_fid_stub": pytest.approx(np.mean(expected), rel=1e-6)}
    info = {"higher_is_better": False, "plot_scale": "log", "fewest_images": 5_000}
    assert scores.info() == {"intra_fid_stub": info | {"samples": 50}}


def test_intra_fid_of_unequal_classes_counts_each_class_once():
    """There are 90 samples of class 0 and 10 of class 2; classes 1 and 3 have neither samples nor real images."""
    real = torch.rand(400, 2, generator=torch.Generator().manual_seed(0))
    fake = torch.rand(100, 2, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0] * 90 + [2] * 10)
    halves = {0: make_reference(real[:200]), 2: make_reference(real[200:])}
    scores = make_scores(
        {"intra_fid": IntraFID}, real, 100, Stub(2), class_reference=halves.__getitem__, labels=labels, num_classes=4
    )
    values = feed(scores, fake, labels=labels).compute()
    first, second = (halves[c].distance(*fit_gaussian(fake[labels == c])) for c in (0, 2))
    assert scores.by_class["fid"] == [pytest.approx(first), None, pytest.approx(second), None]
    assert values == {"intra_fid_stub": pytest.approx((first + second) / 2)}


@pytest.mark.parametrize("options", [{}, {"num_classes": 4}, {"class_reference": make_reference}])
def test_intra_fid_without_labels_is_refused(options):
    with pytest.raises(UserError, match=r"model\.conditional=true"):
        make_scores({"intra_fid": IntraFID}, torch.rand(9, 2), 9, Stub(2), **options)
