"""Every score refuses sets of images that are smaller than the score's minimum, and the error names the score."""

import pytest
import torch
from helpers.scores import EVERY_SCORE, minimum_of

from ganexp.config.set_sizes import SetSizes, check_set_sizes
from ganexp.errors import UserError
from ganexp.metrics.labels import SampleLabels
from ganexp.metrics.score import Minimum

every_score = pytest.mark.parametrize("name", EVERY_SCORE)


def labels_of(counts, shares="reference"):
    values = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return SampleLabels(values, [f"class-{letter}" for letter in "abcdefgh"[: len(counts)]], shares)


def sizes(samples=100, images=100, counts=(50, 50), class_images=(60, 40), shares="reference"):
    labels = labels_of(list(counts), shares) if counts else None
    return SetSizes(samples, labels, {"train": 1000, "test": images}, list(class_images))


@every_score
def test_minimum_of_every_score_is_enough(name):
    minimum = minimum_of(name)
    check_set_sizes({name: minimum}, sizes(minimum.samples, minimum.images))


@every_score
def test_one_sample_or_image_less_than_the_minimum_is_refused(name):
    minimum = minimum_of(name)
    with pytest.raises(UserError, match=rf"metrics.samples={minimum.samples - 1}: metrics.scores.{name} needs"):
        check_set_sizes({name: minimum}, sizes(minimum.samples - 1, minimum.images))
    with pytest.raises(UserError, match=rf"metrics.scores.{name} .* the test split has {minimum.images - 1}:"):
        check_set_sizes({name: minimum}, sizes(minimum.samples, minimum.images - 1))


CLASSES = {"intra": Minimum(of_class=2)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"class_images": (99, 1)}, r"class-b has 1 in the train split: add images"),
        ({"class_images": (100, 0)}, r"class-b has 0 in the train split"),
        (
            {"counts": (99, 1), "class_images": (990, 10)},
            r"class-b has 1 of 100: use metrics.samples=200 or more, or met",
        ),
        ({"counts": (2, 1), "shares": "uniform"}, r"class-b has 1 of 100: use metrics.samples=4 or more, or remove"),
        ({"counts": (50, 0), "shares": None}, r"class-b has 0 of 100: remove intra from"),
        ({"counts": ()}, r"these samples have no labels: train with model.conditional=true"),
        ({"class_images": ()}, r"the train split, the first of metrics.references, has no classes"),
    ],
)
def test_small_classes_are_refused_with_their_size(given, message):
    with pytest.raises(UserError, match=message):
        check_set_sizes(CLASSES, sizes(**given))


def test_class_without_samples_and_images_does_not_count():
    check_set_sizes(CLASSES, sizes(counts=(50, 0, 50), class_images=(60, 0, 40)))


def test_all_complaints_come_together_but_few_classes():
    with pytest.raises(UserError) as caught:
        check_set_sizes(
            {"pairs": Minimum(samples=200, images=200), **CLASSES}, sizes(counts=(1,) * 8, class_images=(1,) * 8)
        )
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["metrics.samples=100", "metrics.references"]
    assert len(lines) == 2 + 3 + 1
    assert lines[-1] == "… and 5 more classes with the same problem"


def test_single_class_that_is_not_shown_is_in_the_singular():
    with pytest.raises(UserError, match=r"… and 1 more class with the same problem$"):
        check_set_sizes(CLASSES, sizes(counts=(1,) * 4, class_images=(1,) * 4))
