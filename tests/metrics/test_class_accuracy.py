"""The share and the accuracy of each class."""

import pytest
import torch
from helpers.scores import Stub, feed, make_scores

from ganexp.metrics.class_accuracy import ClassAccuracy

LABELS = torch.arange(40) % 4


def accuracy(guesses, labels=LABELS, knows_labels=True):
    scores = make_scores(
        {"accuracy": ClassAccuracy},
        torch.rand(9, 1),
        len(guesses),
        Stub(1, 5, knows_labels),
        num_classes=0 if labels is None else 4,
    )
    logits = torch.eye(5)[guesses]
    return feed(scores, torch.zeros(len(guesses), 1), logits, labels, batch_size=7)


def test_accuracy_is_the_share_in_the_class_asked_for():
    scores = accuracy(LABELS)
    assert scores.compute() == {"accuracy_stub": 1}
    assert scores.by_class == {"share": [0.25, 0.25, 0.25, 0.25, 0], "accuracy": [1, 1, 1, 1]}
    assert scores.info() == {"accuracy_stub": {"higher_is_better": True, "plot_scale": "linear"}}


def test_accuracy_by_class_of_some_wrong_samples():
    guesses = LABELS.clone()
    guesses[:10] = (guesses[:10] + 1) % 4  # three wrong guesses in each of classes 0 and 1, two in each of 2 and 3
    scores = accuracy(guesses)
    assert scores.compute() == {"accuracy_stub": 0.75}
    assert scores.by_class["accuracy"] == pytest.approx([0.7, 0.7, 0.8, 0.8])
    assert scores.by_class["share"] == pytest.approx([0.225, 0.25, 0.275, 0.25, 0])


def test_classes_without_samples_have_no_accuracy():
    scores = accuracy(torch.tensor([2, 0, 2, 4]), torch.tensor([2, 0, 2, 2]))
    assert scores.compute() == {"accuracy_stub": 0.75}
    assert scores.by_class == {"share": [0.25, 0, 0.5, 0, 0.25], "accuracy": [1, None, pytest.approx(2 / 3), None]}


def test_samples_without_labels_have_shares_only():
    scores = accuracy(LABELS, labels=None)
    assert scores.compute() == scores.info() == {}
    assert scores.by_class == {"share": [0.25, 0.25, 0.25, 0.25, 0]}


def test_extractor_of_other_classes_gives_no_values():
    scores = accuracy(LABELS, knows_labels=False)
    assert scores.compute() == scores.info() == scores.by_class == {}
