"""Build the scores of a run from a resolved config: the feature extractor, the references and the metrics.

An error from a lower layer names only the wrong argument. This module adds the config key of the argument to the
message.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from ganexp import console
from ganexp.build import build_image_set, build_image_sets
from ganexp.config.instantiate import instantiate
from ganexp.config.score_checks import (
    best_direction,
    check_best_by,
    directions_of,
    is_trained_extractor,
    minimum_images,
)
from ganexp.config.set_sizes import SetSizes, check_set_sizes
from ganexp.console import say
from ganexp.data.images import ImageSet
from ganexp.errors import UserError
from ganexp.metrics.collection import Scores
from ganexp.metrics.extractors.base import Extractor
from ganexp.metrics.extractors.classifier import LabelledImages, classifier_file
from ganexp.metrics.extractors.module import ModuleExtractor
from ganexp.metrics.labels import SampleLabels
from ganexp.metrics.reference import Reference, load_reference
from ganexp.metrics.score import Score, ScoreContext
from ganexp.sampling import sample_labels as draw_labels
from ganexp.scored_sets import ScoredSets

HELD_OUT = 10  # if no test split has classes, 1 of every 10 images is held out to test a classifier


def build_scores(
    cfg: DictConfig,
    image_set: ImageSet,
    device: torch.device,
    num_classes: int,
    labels: Tensor | None = None,
    for_training: bool = False,
) -> Scores | None:
    """Return the scores of `cfg.metrics`, or None if metrics=none.

    If the extractor is a classifier that is not cached yet, it is trained. The global random state does not change.

    Args:
        cfg: the resolved config.
        image_set: the training split.
        device: device on which to compute the scores.
        num_classes: number of classes of the samples to score; 0 if the samples have no labels.
        labels: the class of each sample, shape (samples,), if the samples exist already; None chooses the classes
            according to metrics.labels.
        for_training: whether a score chooses the best checkpoint, so that metrics.best_by must name a score.

    Raises:
        UserError: `prepare_sets` raises this error, or the weights of the extractor are missing.
        OSError: the cache cannot be written.
    """
    metrics = cfg.metrics
    if metrics.extractor is None:
        return None
    sets = prepare_sets(cfg, image_set, num_classes, labels, for_training)
    cache = Path(metrics.cache).expanduser()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        extractor = build_extractor(cfg, image_set, cache, device)
        references = {}
        for split, real in sets.references.items():
            batches = _batches(real, torch.arange(len(real)), metrics.batch_size, f"reference: {split} images")
            references[split] = load_reference(extractor, batches, len(real), real.fingerprint(), cache, device)

        def class_reference(index: int) -> Reference:
            real = sets.first_reference
            chosen = (real.known_labels == index).nonzero().flatten()
            batches = _batches(real, chosen, metrics.batch_size, f"reference: class {sets.classes[index]}")
            content = f"{real.fingerprint()} class {index}"
            return load_reference(extractor, batches, len(chosen), content, cache, device, kept=1)

        return Scores(
            extractor,
            references,
            metrics.samples,
            device,
            score_factories(cfg),
            class_reference,
            sets.labels,
            sets.classes,
            sets.expected_share(),
            sets.reference_labels(next(iter(references.values()))),
            lambda split, chosen: sets.references[split].batch(chosen),
            sets.first_reference.class_counts,
        )


def prepare_sets(
    cfg: DictConfig, image_set: ImageSet, num_classes: int, labels: Tensor | None = None, for_training: bool = False
) -> ScoredSets:
    """Return the reference images and the labels of the samples, after checking that every score can be computed.

    The arguments are those of `build_scores`.

    Raises:
        UserError: the dataset lacks a split, a score needs more images, a setting of a score is wrong, a score needs
            labels but there are none, metrics.best_by does not name a score, or a classifier cannot be trained.
    """
    metrics = cfg.metrics
    references = _reference_sets(cfg, image_set)
    first = next(iter(references.values()))
    sample_labels = _sample_labels(cfg, references, image_set.classes, num_classes, labels)
    sizes = SetSizes(
        samples=metrics.samples,
        labels=sample_labels,
        references={split: len(real) for split, real in references.items()},
        class_images=first.class_counts,
    )
    minimums = {name: minimum_images(node, name) for name, node in metrics.scores.items() if node is not None}
    check_set_sizes(minimums, sizes)
    if for_training:
        check_best_by(cfg, num_classes)
    if is_trained_extractor(metrics.extractor):
        _check_classifier(image_set, _test_set(cfg))
    return ScoredSets(references, sample_labels, image_set.classes)


def _reference_sets(cfg: DictConfig, image_set: ImageSet) -> dict[str, ImageSet]:
    references = {}
    for split in cfg.metrics.references:
        key = f"metrics.references={list(cfg.metrics.references)}"
        try:
            real = image_set if split == cfg.data.split else build_image_set(cfg, split)
        except UserError as error:
            raise UserError(f"{key}: {error}") from None
        if real is None:
            raise UserError(f"{key}: the dataset has no split {split}")
        references[split] = real
    return references


def _sample_labels(
    cfg: DictConfig,
    references: Mapping[str, ImageSet],
    classes: list[str],
    num_classes: int,
    labels: Tensor | None,
) -> SampleLabels | None:
    """Return the class of each sample: `labels`, or classes chosen by metrics.labels; None if there are no classes."""
    if labels is not None:
        return SampleLabels(labels, classes)
    if not num_classes:
        return None
    split, real = next(iter(references.items()))
    shares = cfg.metrics.labels
    if shares == "reference" and real.labels is None:
        raise UserError(
            f"metrics.labels=reference: the {split} split, the first of metrics.references, has no classes: "
            "put another split first in metrics.references, or use metrics.labels=uniform"
        )
    counts = real.class_counts if shares == "reference" else [1] * num_classes
    values = draw_labels(cfg.metrics.samples, counts)
    assert values is not None  # there are classes
    drawn = SampleLabels(values, classes, shares)
    if shares == "reference" and not drawn.are_even:
        say(f"classes of the scored samples, in the same proportions as in the {split} split: {drawn.counts_text()}")
    return drawn


def score_factories(cfg: DictConfig) -> dict[str, Callable[[ScoreContext], Score]]:
    """Return, for each score of `cfg.metrics.scores`, a function that creates the score from its context."""
    return {name: _score_factory(node, name) for name, node in cfg.metrics.scores.items() if node is not None}


def _score_factory(node: DictConfig, name: str) -> Callable[[ScoreContext], Score]:
    return lambda context: instantiate(node, f"metrics.scores.{name}", context=context)


def _batches(image_set: ImageSet, chosen: Tensor, size: int, description: str) -> Iterator[Tensor]:
    """Yield the chosen images in batches, uint8 (N, C, H, W), with a progress bar."""
    yield from (image_set.batch(part) for part in console.progress(chosen.split(size), description))


def build_extractor(cfg: DictConfig, image_set: ImageSet, cache: Path, device: torch.device) -> Extractor:
    """Return the feature extractor of `cfg.metrics`. A classifier that is not cached is trained on `image_set`."""
    node = cfg.metrics.extractor
    if not is_trained_extractor(node):
        extractor = instantiate(node, "metrics.extractor").to(device)
        if isinstance(extractor, Extractor):
            return extractor
        images = image_set.batch(torch.arange(min(2, len(image_set)))).to(device)
        return ModuleExtractor(extractor, images, _as_text(node))
    test = _test_set(cfg)
    _check_classifier(image_set, test)
    train, held_out = _classifier_images(image_set, test)
    return instantiate(
        node,
        "metrics.extractor",
        train=train,
        test=held_out,
        file=_classifier_file(node, image_set, test, cache),
        device=device,
    )


def _test_set(cfg: DictConfig) -> ImageSet | None:
    """Return the test split; None if the dataset has no test split with labels."""
    test = build_image_sets(cfg).get("test")
    return None if test is None or test.labels is None else test


def _check_classifier(image_set: ImageSet, test: ImageSet | None) -> None:
    """Check that a classifier can be trained and tested.

    Raises:
        UserError: the images have no labels, or there are too few images to hold out a tenth of them.
    """
    otherwise = "or use metrics=inception, metrics=imagenet or metrics=none"
    if image_set.labels is None:
        raise UserError(f"metrics=classifier needs images with classes, but there are no classes: {otherwise[3:]}")
    if test is None and len(image_set) < HELD_OUT:
        raise UserError(
            f"metrics=classifier holds out 1 of every {HELD_OUT} images to test the classifier, because there is no "
            f"test split with classes. This needs at least {HELD_OUT} images, and there are {len(image_set)}: "
            f"add images, {otherwise}"
        )


def _classifier_images(image_set: ImageSet, test: ImageSet | None) -> tuple[LabelledImages, LabelledImages]:
    """Return the training images and the test images of the classifier.

    If `test` is None, a tenth of the images is held out as test images.
    """
    if test is not None:
        return _labelled(image_set, torch.arange(len(image_set))), _labelled(test, torch.arange(len(test)))
    order = torch.randperm(len(image_set), generator=torch.Generator().manual_seed(0))
    count = len(order) // HELD_OUT
    held_out = _labelled(image_set, order[:count])
    held_out.origin = f"{console.count(count, 'image')} held out of the dataset, which has no test split with classes"
    return _labelled(image_set, order[count:]), held_out


def _labelled(image_set: ImageSet, chosen: Tensor) -> LabelledImages:
    return LabelledImages(image_set.batch(chosen), image_set.known_labels[chosen])


def _classifier_file(node: DictConfig, image_set: ImageSet, test: ImageSet | None, cache: Path) -> Path:
    """Return the cache file of the classifier.

    The weights depend on whether a test split exists, but not on the images of the test split.
    """
    part = "all images" if test is not None else f"1 of {HELD_OUT} held out"
    return classifier_file(cache, f"{image_set.fingerprint()} {part} {_as_text(node)} {torch.__version__}")


def _as_text(node: DictConfig) -> str:
    return json.dumps(OmegaConf.to_container(node), sort_keys=True)


def trained_file(cfg: DictConfig, image_set: ImageSet) -> Path | None:
    """Return the cache file of an extractor that is trained on `image_set`; None if the extractor is pretrained."""
    node, cache = cfg.metrics.extractor, Path(cfg.metrics.cache).expanduser()
    return _classifier_file(node, image_set, _test_set(cfg), cache) if is_trained_extractor(node) else None


def best_score(cfg: DictConfig, scores: Scores | None) -> tuple[str | None, str]:
    """Return the name of the score that chooses the best checkpoint, and `min` if lower is better, otherwise `max`.

    If `scores` is None, the name is None.

    Raises:
        UserError: metrics.best_by does not name one of the scores, or names a score for which neither lower nor higher
            values are better.
    """
    if scores is None:
        return None, "min"
    extractor = scores.extractor.name
    higher_is_better = best_direction(cfg.metrics.best_by, directions_of(scores.info(), extractor))
    return f"{cfg.metrics.best_by}_{extractor}", "max" if higher_is_better else "min"
