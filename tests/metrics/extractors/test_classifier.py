"""The classifier that is trained on the dataset, and its cache."""

import pytest
import torch

from ganexp.data import sets
from ganexp.metrics.extractors import classifier
from ganexp.metrics.extractors.classifier import LabelledImages, classifier_file, train_classifier
from ganexp.models.classifier import Classifier

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    splits = (sets.digits("", split, 8, 1) for split in ("train", "test"))
    return [LabelledImages(images.images, images.labels) for images in splits]


def trained(digits, cache, updates, network=None, seed=0):
    train, test = digits
    file = classifier_file(cache, "key")
    network = network or Classifier(8, 1, 10)
    return train_classifier(network, updates, 128, 0.01, seed, train=train, test=test, file=file, device=CPU)


@pytest.mark.slow
def test_classifier_recognises_digits(digits, tmp_path):
    extractor = trained(digits, tmp_path, updates=400)
    assert extractor.facts["classifier_test_accuracy"] >= 0.97
    features, logits = extractor(digits[1].images)
    assert features.shape == (359, extractor.feature_dim) == (359, 64)
    assert logits.shape == (359, extractor.num_logits) == (359, 10)
    by_hand = (logits.argmax(1) == digits[1].labels).float().mean().item()
    assert by_hand == pytest.approx(extractor.facts["classifier_test_accuracy"])
    assert extractor.knows_labels


def test_classifier_is_trained_once_and_apart_from_the_run(digits, tmp_path):
    before = torch.get_rng_state()
    network = Classifier(8, 1, 10)
    created = torch.get_rng_state()
    first = trained(digits, tmp_path, updates=3, network=network)
    assert torch.equal(torch.get_rng_state(), created)
    assert not torch.equal(created, before)
    torch.manual_seed(99)
    again = trained(digits, tmp_path / "elsewhere", updates=3)
    assert again.identity == first.identity
    cached = trained(digits, tmp_path, updates=3000)  # read from the cache: training would change the weights
    assert (cached.identity, cached.facts) == (first.identity, first.facts)
    assert not cached.network.training
    assert trained(digits, tmp_path / "third", updates=3, seed=1).identity != first.identity


def test_cached_weights_of_other_layers_are_not_used(digits, tmp_path):
    narrow = trained(digits, tmp_path, updates=3, network=Classifier(8, 1, 10, width=4))
    wide = trained(digits, tmp_path, updates=3, network=Classifier(8, 1, 10, width=8))
    assert (narrow.feature_dim, wide.feature_dim) == (8, 16)


def test_accuracy_is_that_on_the_images_that_are_held_out_now(digits, tmp_path):
    """Other test labels or other test images change the accuracy; the cached weights are used in both cases."""
    train, test = digits
    first = trained(digits, tmp_path, updates=30)
    (file,) = (tmp_path / "classifiers").iterdir()
    sevens = LabelledImages(test.images, torch.full_like(test.labels, 7))
    dark = LabelledImages(torch.zeros_like(test.images), test.labels)
    for held_out in (sevens, dark, test):
        again = trained((train, held_out), tmp_path, updates=30)
        guesses = again(held_out.images)[1].argmax(1)
        assert again.facts["classifier_test_accuracy"] == (guesses == held_out.labels).float().mean()
        assert again.identity == first.identity
    assert again.facts == first.facts
    assert list((tmp_path / "classifiers").iterdir()) == [file]


def test_cached_accuracy_is_not_computed_again(digits, tmp_path, monkeypatch):
    first = trained(digits, tmp_path, updates=3)
    monkeypatch.setattr(classifier, "_accuracy", lambda *args: 1 / 0)
    assert trained(digits, tmp_path, updates=3).facts == first.facts


def test_cache_that_cannot_be_written_is_named_before_training(digits, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(classifier, "_fit", lambda *args: 1 / 0)
    with pytest.raises(OSError, match="file/classifiers"):
        trained(digits, tmp_path / "file", updates=3)


def test_classifier_file_depends_on_key_and_version(tmp_path, monkeypatch):
    files = {classifier_file(tmp_path, "a"), classifier_file(tmp_path, "b")}
    monkeypatch.setattr(classifier, "TRAINING_VERSION", classifier.TRAINING_VERSION + 1)
    files.add(classifier_file(tmp_path, "a"))
    assert len(files) == 3
    assert {file.parent for file in files} == {tmp_path / "classifiers"}
