"""Mean distances between samples."""

import math

import pytest
import torch
from helpers.scores import Stub, feed, make_scores, score_features

from ganexp.metrics.diversity import Diversity, class_means, mean_distances, pairwise_distances


def test_mean_distances_within_and_between_classes():
    features = torch.tensor([[0.0], [1.0], [10.0], [13.0]])
    distances = pairwise_distances(features)
    means = mean_distances(distances, torch.tensor([0, 0, 1, 1]))
    assert means["distance_within"] == pytest.approx((1 + 3) / 2)
    assert means["distance_between"] == pytest.approx((10 + 13 + 9 + 12) / 4)
    assert means["distance"] == pytest.approx((1 + 3 + 10 + 13 + 9 + 12) / 6)
    assert mean_distances(distances) == {"distance": means["distance"]}


def test_diversity_is_one_for_real_images_and_zero_for_equal_ones():
    real = torch.rand(300, 4, generator=torch.Generator().manual_seed(0))
    assert score_features(Diversity, real, real)["distance_stub"] == pytest.approx(1, rel=1e-4)
    assert score_features(Diversity, real, real * 3)["distance_stub"] == pytest.approx(3, rel=1e-4)
    equal = real[:1].expand(300, -1)
    assert score_features(Diversity, real, equal)["distance_stub"] == pytest.approx(0, abs=1e-3)


def test_diversity_by_class_follows_the_extractors_guess():
    real = torch.rand(100, 4, generator=torch.Generator().manual_seed(0))
    fake = torch.rand(60, 4, generator=torch.Generator().manual_seed(1))
    logits = torch.randn(60, 3, generator=torch.Generator().manual_seed(2))
    values = score_features(Diversity, real, fake, logits, knows_labels=True)
    unit = mean_distances(pairwise_distances(real))["distance"]
    expected = mean_distances(pairwise_distances(fake), logits.argmax(1))
    assert values == {f"{key}_stub": pytest.approx(value / unit) for key, value in expected.items()}
    # The guesses of an extractor with other classes, such as Inception, are not used.
    assert list(score_features(Diversity, real, fake, logits)) == ["distance_stub"]


def test_diversity_is_of_the_first_2000_samples():
    real = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    fake = torch.rand(2100, 2, generator=torch.Generator().manual_seed(1))
    changed = torch.cat([fake[:2000], fake[2000:] + 50])
    assert score_features(Diversity, real, changed) == score_features(Diversity, real, fake)


def test_diversity_has_no_direction():
    info = make_scores({"diversity": Diversity}, torch.rand(9, 2), 9, Stub(2)).info()
    assert info == {"distance_stub": {"higher_is_better": None, "plot_scale": "linear"}}


def test_class_means_are_those_of_pairs_in_a_class():
    features = torch.tensor([[0.0], [1.0], [10.0], [13.0], [2.0], [50.0]])
    means = class_means(pairwise_distances(features), torch.tensor([0, 0, 1, 1, 0, 3]), 4)
    assert means == [pytest.approx((1 + 2 + 1) / 3), pytest.approx(3), None, None]


def classes_of_points(noise, repeats=30):
    """Return features and labels of three classes that are far apart; `noise` is the spread within each class."""
    labels = torch.arange(3 * repeats) % 3
    spread = torch.randn(len(labels), 4, generator=torch.Generator().manual_seed(0))
    return 100 * labels[:, None] + noise[labels, None] * spread, labels


def test_class_diversity_shows_a_collapse_of_each_class():
    real, labels = classes_of_points(torch.tensor([1.0, 2.0, 4.0]))
    scores = make_scores({"diversity": Diversity}, real, 90, Stub(4), num_classes=3, reference_labels=labels)
    by_noise = {}
    for noise in ([0.0, 0.0, 0.0], [1.0, 2.0, 4.0], [3.0, 2.0, 0.0]):
        scores.reset()
        values = feed(scores, *classes_of_points(torch.tensor(noise))[:1], labels=labels).compute()
        assert values["distance_stub"] > 0.9  # the classes are as far apart as in the real images
        by_noise[tuple(noise)] = values["class_diversity_stub"], scores.by_class["diversity"]
    collapsed, as_real, partly = by_noise.values()
    assert collapsed == (0, [0, 0, 0])
    assert as_real[0] == pytest.approx(1, rel=1e-3)
    assert partly[1] == pytest.approx([3, 1, 0], rel=1e-3)
    assert partly[0] == pytest.approx(4 / 3, rel=1e-3)  # all classes have the same weight


@pytest.mark.parametrize("rounding", [0, 1e-7])
@pytest.mark.parametrize("copied", [[1], [0, 2]])
def test_class_of_equal_real_images_has_no_value(rounding, copied):
    """The features of equal images may differ by rounding, and so may the distances that are computed from them."""
    labels = torch.arange(300) % 3
    real, fake = (torch.rand(300, 512, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    for label in copied:
        noise = torch.randn(100, 512, generator=torch.Generator().manual_seed(2))
        real[labels == label] = 10 * real[label] * (1 + rounding * noise)  # the larger, the larger the rounding errors
    scores = make_scores({"diversity": Diversity}, real, 300, Stub(512), num_classes=3, reference_labels=labels)
    values = feed(scores, fake, labels=labels).compute()
    by_class = scores.by_class["diversity"]
    assert [label for label, value in enumerate(by_class) if value is None] == copied
    others = [value for value in by_class if value is not None]
    assert others == [pytest.approx(1, rel=0.1)] * len(others)
    assert values["class_diversity_stub"] == pytest.approx(sum(others) / len(others))


def test_class_diversity_needs_labels_of_real_images():
    features, labels = classes_of_points(torch.ones(3))
    scores = make_scores({"diversity": Diversity}, features, 90, Stub(4), num_classes=3)
    assert list(feed(scores, features, labels=labels).compute()) == ["distance_stub"]


@pytest.mark.parametrize("rounding", [0, 1e-7])
def test_equal_real_images_have_no_distance_to_divide_by(rounding, capsys):
    """The features of equal images may differ by rounding, if the batches of these images have different sizes."""
    real = torch.rand(1, 64, generator=torch.Generator().manual_seed(0)).repeat(60, 1)
    real[::2] *= 1 + rounding
    fake = torch.rand(60, 64, generator=torch.Generator().manual_seed(1))
    assert math.isnan(score_features(Diversity, real, fake)["distance_stub"])
    assert "distance_stub cannot be computed: all real images have the same features" in capsys.readouterr().out


def test_distances_do_not_depend_on_a_common_offset():
    features = torch.rand(60, 64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(pairwise_distances(features + 1000), pairwise_distances(features), atol=1e-3)
