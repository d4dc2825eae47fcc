"""Scores against torch-fidelity's own, on the same features and the same folders; neighbours by brute force."""

import pytest
import torch
from torch_fidelity import calculate_metrics
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_prc import calculate_precision_recall_full

from ganexp.errors import UserError
from ganexp.metrics.extractors import InceptionExtractor
from ganexp.metrics.inception_score import InceptionScore
from ganexp.metrics.neighbours import neighbour_scores
from ganexp.metrics.reference import reference
from ganexp.metrics.scores import Scores, to_uint8
from ganexp.plots import grids

CPU = torch.device("cpu")


@pytest.mark.parametrize(("count", "splits"), [(1037, 10), (60, 1), (101, 7)])
def test_inception_score_from_sums(count, splits):
    logits = torch.randn(count, 12, generator=torch.Generator().manual_seed(0)) * 3
    metric = InceptionScore(12, count, splits)
    for batch in logits.split(100):
        metric.update(batch)
    theirs = isc_features_to_metric(logits, splits)
    mean, spread = (value.item() for value in metric.compute())
    assert mean == pytest.approx(theirs["inception_score_mean"], rel=1e-9)
    assert spread == pytest.approx(theirs["inception_score_std"], rel=1e-6, abs=1e-9)


def test_inception_score_takes_as_many_samples_as_announced():
    metric = InceptionScore(3, 10, 2)
    metric.update(torch.zeros(6, 3))
    with pytest.raises(ValueError, match="6 of the 10"):
        metric.compute()
    with pytest.raises(ValueError, match="more than the 10"):
        metric.update(torch.zeros(5, 3))


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


@pytest.mark.parametrize(("k", "shift"), [(3, 0.0), (5, 1.0), (1, 4.0)])
def test_neighbours_are_those_of_brute_force(k, shift):
    generator = torch.Generator().manual_seed(1)
    real = torch.randn(60, 4, generator=generator)
    fake = torch.randn(45, 4, generator=generator) * 1.3 + shift
    ours = neighbour_scores(real, fake, k, rows=16)
    assert ours == pytest.approx(by_brute_force(real, fake, k), abs=1e-6)
    precision, recall = calculate_precision_recall_full(fake, real, k)
    assert (ours["precision"], ours["recall"]) == pytest.approx((precision, recall), abs=1e-6)


def test_neighbours_need_more_samples_than_k():
    with pytest.raises(UserError, match="at least 6"):
        neighbour_scores(torch.zeros(5, 2), torch.zeros(9, 2), k=5)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_scores_of_folders_equal_torch_fidelitys(random_inception, tmp_path):
    """FID, IS and KID of the same PNGs by the same random Inception."""
    generator = torch.Generator().manual_seed(2)
    real, fake = (torch.rand(20, 3, 32, 32, generator=generator) * scale - 1 for scale in (2.0, 1.2))
    for name, images in (("real", real), ("fake", fake)):
        for index, image in enumerate(images):
            grids.save_single(image, tmp_path / name / f"{index:03d}.png")
    theirs = calculate_metrics(
        input1=str(tmp_path / "fake"), input2=str(tmp_path / "real"), fid=True, isc=True, kid=True, cuda=False,
        isc_splits=4, kid_subset_size=20, kid_subsets=3, feature_extractor_weights_path=str(random_inception),
        verbose=False, cache=False,
    )  # fmt: skip
    extractor = InceptionExtractor(str(random_inception))
    real_side = reference(extractor, iter(to_uint8(real).split(16)), 20, "real", tmp_path, CPU)
    scores = Scores(extractor, {"train": real_side}, 20, 4, CPU, names=("is", "fid", "kid"))
    ours = scores(iter(fake.split(16)))
    assert ours["is_inception"] == pytest.approx(theirs["inception_score_mean"], rel=1e-4)
    assert ours["is_inception_std"] == pytest.approx(theirs["inception_score_std"], rel=1e-3)
    assert ours["fid_inception"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert ours["kid_inception"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert isinstance(extractor.network, FeatureExtractorInceptionV3)


def test_several_references_and_counts_in_one_pass(tmp_path):
    class Plain:
        name, feature_dim, identity, facts = "plain", 4, "1", {}

        def to(self, device):
            return self

        def __call__(self, images):
            self.seen = self.seen + len(images) if hasattr(self, "seen") else len(images)
            return images.flatten(1).float(), images.flatten(1).float()

    generator = torch.Generator().manual_seed(3)
    images = {name: torch.rand(90, 1, 2, 2, generator=generator) * 2 - 1 for name in ("train", "test", "fake")}

    sides = {n: reference(Plain(), iter([to_uint8(images[n])]), 90, n, tmp_path, CPU) for n in ("train", "test")}
    names = ("is", "fid", "kid", "neighbours")
    scores = Scores(Plain(), sides, 90, 3, CPU, names=names, fid_at=(30, 50, 1000))
    values = scores(iter(images["fake"].split(40)))
    assert scores.extractor.seen == 90  # each image once
    for split, suffix in (("train", ""), ("test", "_test")):
        for count, at in ((30, "_30"), (50, "_50"), (90, "")):
            alone = Scores(Plain(), {"x": sides[split]}, count, 3, CPU, names=("fid",))
            expected = alone(iter([images["fake"][:count]]))["fid_plain"]
            assert values[f"fid_plain{suffix}{at}"] == pytest.approx(expected, rel=1e-9)
        for name in ("kid", "precision", "recall", "density", "coverage"):
            assert f"{name}_plain{suffix}" in values
    assert "fid_plain_1000" not in values


def test_unknown_scores_are_refused():
    with pytest.raises(UserError, match="use some of is, fid, kid, neighbours"):
        Scores(None, {}, 10, 1, CPU, names=("is", "lpips"))
