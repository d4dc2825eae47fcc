"""The number of samples of each class, and the text that states these numbers."""

import torch

from ganexp.metrics.labels import SampleLabels


def labels_of(counts, shares="reference"):
    return SampleLabels(torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)), list("abcdefgh"), shares)


def test_counts_include_classes_without_samples():
    labels = labels_of([3, 0, 2])
    assert labels.counts == [3, 0, 2, 0, 0, 0, 0, 0]
    assert labels.counts_text() == "a 3, c 2; none of b, d, e, f, g, …"


def test_text_names_the_largest_classes():
    assert labels_of([1, 2, 3, 1000, 5, 6, 7, 8]).counts_text() == "d 1,000, h 8, g 7, f 6, e 5, …"


def test_protocol_names_shares_unless_they_are_even():
    even, uneven = labels_of([2, 2, 2, 2, 2, 1, 1, 1]), labels_of([3, 2, 2, 2, 2, 1, 1, 1])
    assert even.are_even
    assert not uneven.are_even
    assert (even.protocol(), even.facts()) == ({}, {"labels": "reference"})
    assert uneven.protocol()["class_samples"]["a"] == 3
    own = labels_of([3, 2, 2, 2, 2, 1, 1, 1], None)
    assert (own.protocol(), own.facts()) == ({}, {})
