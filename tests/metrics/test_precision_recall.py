"""Precision, recall, density and coverage, compared with brute force; the first two also with torch-fidelity."""

import pytest
import torch
from helpers.scores import Stub, make_scores, score_features
from torch_fidelity.metric_prc import calculate_precision_recall_full

from ganexp.metrics.precision_recall import PrecisionRecall, precision_recall_density_coverage

KEYS = ("precision", "recall", "density", "coverage")


def by_brute_force(real, fake, k):
    def radius(points):
        return [sorted((p - q).norm().item() for q in points)[k] for p in points]

    real_radius, fake_radius = radius(real), radius(fake)
    inside = [[(f - r).norm().item() <= real_radius[i] for i, r in enumerate(real)] for f in fake]
    back = [any((f - r).norm().item() <= fake_radius[i] for i, f in enumerate(fake)) for r in real]
    return {
        "precision": sum(any(row) for row in inside) / len(fake),
        "recall": sum(back) / len(real),
        "density": sum(sum(row) for row in inside) / (k * len(fake)),
        "coverage": sum(any(row[i] for row in inside) for i in range(len(real))) / len(real),
    }


def real_and_fake(shift):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(60, 4, generator=generator), torch.randn(45, 4, generator=generator) * 1.3 + shift


@pytest.mark.parametrize(("k", "shift"), [(3, 0.0), (5, 1.0), (1, 4.0)])
def test_values_are_those_of_brute_force(k, shift):
    real, fake = real_and_fake(shift)
    ours = precision_recall_density_coverage(real, fake, k, rows=16)
    assert ours == pytest.approx(by_brute_force(real, fake, k), abs=1e-6)
    precision, recall = calculate_precision_recall_full(fake, real, k)
    assert (ours["precision"], ours["recall"]) == pytest.approx((precision, recall), abs=1e-6)


def test_score_is_of_five_neighbours_against_each_reference():
    real, fake = real_and_fake(0.5)
    values = score_features(PrecisionRecall, {"train": real, "test": real + 0.4}, fake)
    for ending, reference in (("", real), ("_test", real + 0.4)):
        found = {key: values[f"{key}_stub{ending}"] for key in KEYS}
        assert found == pytest.approx(by_brute_force(reference, fake, 5), abs=1e-6)
    assert len(values) == 8


def test_too_few_samples_for_k_neighbours_are_refused():
    for real, fake in ((5, 9), (9, 5)):
        with pytest.raises(ValueError, match=f"needs 6 real and 6 generated samples, not {real} and {fake}"):
            precision_recall_density_coverage(torch.zeros(real, 2), torch.zeros(fake, 2), k=5)


def test_higher_is_better_of_all_four():
    info = make_scores({"neighbours": PrecisionRecall}, torch.zeros(9, 2), 9, Stub(2)).info()
    assert info == {f"{key}_stub": {"higher_is_better": True, "plot_scale": "linear"} for key in KEYS}
