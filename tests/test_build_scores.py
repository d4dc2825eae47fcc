"""Building scores: the labels of samples, the images that samples are compared with, and the use of cached files."""

import pytest
import torch
from helpers.config import config
from helpers.scores import CPU

from ganexp import build_scores
from ganexp.data.images import ImageSet
from ganexp.errors import UserError

NAMES = ["a", "b", "c"]
BASE = ("data=fake", "data.resolution=8", "data.channels=1", "data.num_classes=3", "model=mlp", "metrics=classifier")
SMALL = (*BASE, "metrics.extractor.updates=2", "metrics.samples=100", "metrics/score=[fid]")


def image_set(counts, seed=0, classes=NAMES):
    """Return random images; `counts` has the number of images of each class."""
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (len(labels), 1, 8, 8), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, labels, list(classes))


def without_labels(images):
    return ImageSet(images.images, None, [])


@pytest.fixture
def splits(monkeypatch):
    """Return a dictionary of the image sets that replace the splits of the dataset."""
    sets = {"train": image_set([70, 20, 10])}
    monkeypatch.setattr(build_scores, "build_image_set", lambda cfg, split=None: sets.get(split or "train"))
    monkeypatch.setattr(build_scores, "build_image_sets", lambda cfg: sets)
    return sets


def prepared(splits, *overrides, num_classes=3, labels=None):
    return build_scores.prepare_sets(config(*SMALL, *overrides), splits["train"], num_classes, labels)


def test_samples_have_the_shares_of_the_first_reference(splits):
    splits["test"] = image_set([5, 0, 15])
    assert prepared(splits).labels.counts == [70, 20, 10]
    by_test = prepared(splits, "metrics.references=[test,train]")
    assert by_test.labels.counts == [25, 0, 75]
    assert by_test.expected_share() == [0.25, 0, 0.75]
    uniform = prepared(splits, "metrics.labels=uniform")
    assert uniform.labels.values.tolist() == [index % 3 for index in range(100)]
    assert uniform.labels.shares == "uniform"


def test_samples_without_labels_are_expected_in_the_shares_of_the_images(splits):
    sets = prepared(splits, num_classes=0)
    assert sets.labels is None
    assert sets.expected_share() == [0.7, 0.2, 0.1]


def test_existing_images_keep_their_own_labels(splits):
    own = torch.tensor([2] * 99 + [0])
    sets = prepared(splits, "metrics.labels=uniform", labels=own)
    assert torch.equal(sets.labels.values, own)
    assert sets.labels.protocol() == sets.labels.facts() == {}


def test_first_reference_without_labels_needs_uniform_labels(splits):
    splits["test"] = without_labels(image_set([9, 9, 9]))
    with pytest.raises(UserError, match=r"the test split, the first of metrics\.references.*metrics\.labels=uniform"):
        prepared(splits, "metrics.references=[test]")
    sets = prepared(splits, "metrics.references=[test]", "metrics.labels=uniform")
    assert (sets.labels.counts, sets.expected_share()) == ([34, 33, 33], [0.34, 0.33, 0.33])
    assert prepared(splits, "metrics.references=[test]", num_classes=0).expected_share() == []


def test_unknown_reference_is_named(splits):
    with pytest.raises(UserError, match=r"metrics\.references=\['train', 'other'\]: the dataset has no split other"):
        prepared(splits, "metrics.references=[train,other]")


def test_reference_that_the_dataset_refuses_is_named():
    cfg = config("metrics=classifier", "metrics.references=[train,other]")
    with pytest.raises(UserError, match=r"metrics\.references=.*: split=other: this dataset has the splits train"):
        build_scores.prepare_sets(cfg, build_scores.build_image_set(cfg), 0)


def test_class_is_compared_with_that_class_of_the_first_reference(splits, tmp_path):
    splits["test"] = image_set([4, 0, 6], seed=1)
    overrides = ("metrics.references=[test]", "metrics/score=[fid,intra_fid]", f"metrics.cache={tmp_path}")
    scores = build_scores.build_scores(config(*SMALL, *overrides), splits["train"], CPU, 3)
    reference = scores.scores["intra_fid"].class_reference
    features = scores.extractor(splits["test"].images[4:])[0]
    assert reference(2).count == 6
    assert torch.allclose(reference(2).total, features.double().sum(0))
    assert reference(0).count == 4


def test_arguments_of_scores_are_checked_before_anything_is_computed(splits, monkeypatch):
    monkeypatch.setattr(build_scores, "build_extractor", lambda *args: 1 / 0)
    for overrides, message in (
        (("metrics/score=[fid]", "metrics.scores.fid.sample_counts=[1]"), r"sample_counts.*at least 2"),
        (("metrics/score=[kid]", "+metrics.scores.kid.subsets=3"), r"metrics\.scores\.kid\.subsets"),
    ):
        with pytest.raises(UserError, match=message):
            build_scores.build_scores(config(*SMALL, *overrides), splits["train"], CPU, 3)


def test_function_that_makes_a_score_has_no_minimum(splits):
    """A target that is not a subclass of Score, but a function that returns a score, declares no minimum of images."""
    override = f"metrics.scores.fid._target_={__name__}.make_fid"
    assert prepared(splits, override, "~metrics.scores.fid.sample_counts").labels is not None


def make_fid(context):
    """Return nothing, because this function is never called."""


def classifier_files(cache):
    return sorted(path.name for path in (cache / "classifiers").glob("*.pt"))


def relabelled(images):
    return ImageSet(images.images, images.labels.flip(0), images.classes)


def brighter(images):
    return ImageSet(images.images.clamp(max=254) + 1, images.labels, images.classes)


def reordered(images):
    order = torch.tensor([2, 0, 1])
    return ImageSet(images.images, order[images.labels], ["b", "c", "a"])


CHANGES = {
    "pixels": lambda splits, monkeypatch: splits.update(train=brighter(splits["train"])),
    "labels": lambda splits, monkeypatch: splits.update(train=relabelled(splits["train"])),
    "order of classes": lambda splits, monkeypatch: splits.update(train=reordered(splits["train"])),
    "images held out": lambda splits, monkeypatch: splits.update(test=image_set([2, 2, 2])),
    "version of torch": lambda splits, monkeypatch: monkeypatch.setattr(torch, "__version__", "0.0.1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_classifier_is_trained_anew_after_every_change(splits, tmp_path, monkeypatch, change):
    cfg = config(*SMALL, f"metrics.cache={tmp_path}")
    build_scores.build_extractor(cfg, splits["train"], tmp_path, CPU)
    assert build_scores.trained_file(cfg, splits["train"]).exists()
    before = classifier_files(tmp_path)
    CHANGES[change](splits, monkeypatch)
    assert not build_scores.trained_file(cfg, splits["train"]).exists()
    build_scores.build_extractor(cfg, splits["train"], tmp_path, CPU)
    assert len(classifier_files(tmp_path)) == len(before) + 1 == 2
    assert build_scores.trained_file(cfg, splits["train"]).exists()


@pytest.mark.parametrize("override", ["metrics.extractor.updates=3", "metrics.extractor.seed=1"])
def test_classifier_is_trained_anew_with_other_settings(splits, tmp_path, override):
    build_scores.build_extractor(config(*SMALL), splits["train"], tmp_path, CPU)
    other = config(*SMALL, f"metrics.cache={tmp_path}", override)
    assert not build_scores.trained_file(other, splits["train"]).exists()


def test_test_split_without_labels_is_not_used_to_test(splits, tmp_path):
    """The classifier is tested on a tenth of the training images, and is the same as without a test split."""
    cfg = config(*SMALL)
    held_out = build_scores.build_extractor(cfg, splits["train"], tmp_path, CPU)
    splits["test"] = without_labels(image_set([9, 9, 9]))
    again = build_scores.build_extractor(cfg, splits["train"], tmp_path, CPU)
    assert (again.identity, again.facts) == (held_out.identity, held_out.facts)
    assert "held out of the dataset, which has no test split with classes" in again.facts["classifier_tested_on"]
    assert len(classifier_files(tmp_path)) == 1


def test_reference_follows_labels_and_pixels(splits, tmp_path):
    cfg = config(*SMALL, f"metrics.cache={tmp_path}")
    protocols = []
    for change in (lambda images: images, brighter, relabelled):
        changed = change(image_set([70, 20, 10]))
        splits["train"] = changed
        protocols.append(build_scores.build_scores(cfg, changed, CPU, 3).protocol())
    assert len({protocol["references"]["train"]["sha256"] for protocol in protocols}) == 3
    assert len({protocol["id"] for protocol in protocols}) == 3


@pytest.mark.parametrize(("counts", "message"), [([4, 3, 2], "at least 10 images, and there are 9"), ([9], None)])
def test_classifier_that_cannot_be_tested_is_refused(splits, counts, message):
    splits["train"] = image_set(counts, classes=NAMES[: len(counts)])
    if message is None:
        splits["train"], message = without_labels(splits["train"]), "needs images with classes"
    with pytest.raises(UserError, match=message):
        prepared(splits, num_classes=0)
