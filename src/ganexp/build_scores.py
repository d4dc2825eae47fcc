"""Build the scores of a run from a resolved config: the feature extractor, its references and the metrics.

Layers below name their own arguments in errors; this module adds the keys of the config.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from ganexp import console
from ganexp.build import build_image_set, build_image_sets
from ganexp.config.instantiate import instantiate
from ganexp.data.images import ImageSet
from ganexp.errors import UserError
from ganexp.metrics.collection import Scores
from ganexp.metrics.extractors.base import Extractor
from ganexp.metrics.extractors.classifier import LabelledImages, classifier_file
from ganexp.metrics.extractors.module import ModuleExtractor
from ganexp.metrics.reference import Reference, load_reference
from ganexp.metrics.score import Score, ScoreContext


def build_scores(cfg: DictConfig, image_set: ImageSet, device: torch.device, num_classes: int) -> Scores | None:
    """Return the scores that `cfg.metrics` names, or None with metrics=none.

    A classifier that is not cached yet is trained; the global random state is left as it was.

    Args:
        cfg: the resolved config.
        image_set: the split to train on.
        device: to score on.
        num_classes: number of classes of the samples to score; 0 if they have no labels.

    Raises:
        UserError: a split that the dataset does not have, missing weights, or scores that need labels where there are
            none.
    """
    metrics = cfg.metrics
    if metrics.extractor is None:
        return None
    cache = Path(metrics.cache).expanduser()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        fingerprint = image_set.fingerprint()
        extractor = build_extractor(cfg, image_set, fingerprint, cache, device)
        references = {}
        for split in metrics.references:
            real = image_set if split == cfg.data.split else build_image_set(cfg, split)
            if real is None:
                raise UserError(f"metrics.references={list(metrics.references)}: the dataset has no split {split}")
            content = fingerprint if real is image_set else real.fingerprint()
            batches = _batches(real, torch.arange(len(real)), metrics.batch_size, f"reference: {split} images")
            references[split] = load_reference(extractor, batches, len(real), content, cache, device)

        def class_reference(index: int) -> Reference:
            chosen = (image_set.labels == index).nonzero().flatten()
            batches = _batches(image_set, chosen, metrics.batch_size, f"reference: class {index}")
            content = f"{fingerprint} class {index}"
            return load_reference(extractor, batches, len(chosen), content, cache, device, kept=1)

        sizes = (metrics.samples, metrics.splits)
        return Scores(extractor, references, *sizes, device, score_factories(cfg), class_reference, num_classes)


def score_factories(cfg: DictConfig) -> dict[str, Callable[[ScoreContext], Score]]:
    """Return a function for each score of `cfg.metrics.scores` that makes it for the samples of a context."""
    return {name: _score_factory(node, name) for name, node in cfg.metrics.scores.items() if node is not None}


def _score_factory(node: DictConfig, name: str) -> Callable[[ScoreContext], Score]:
    return lambda context: instantiate(node, f"metrics.scores.{name}", context=context)


def _batches(image_set: ImageSet, chosen: Tensor, size: int, description: str) -> Iterator[Tensor]:
    """Yield the chosen images (N, C, H, W), uint8, in batches, under a progress bar once they are asked for."""
    yield from (image_set.batch(part) for part in console.progress(chosen.split(size), description))


def build_extractor(
    cfg: DictConfig, image_set: ImageSet, fingerprint: str, cache: Path, device: torch.device
) -> Extractor:
    """Return the feature extractor that `cfg.metrics` names; train a classifier on `image_set` if none is cached."""
    node = cfg.metrics.extractor
    if "network" not in node:
        extractor = instantiate(node, "metrics.extractor").to(device)
        if isinstance(extractor, Extractor):
            return extractor
        return ModuleExtractor(extractor, image_set.batch(torch.arange(2)).to(device))
    everything = torch.arange(len(image_set))
    test = build_image_sets(cfg).get("test")
    if test is None:  # hold out a tenth
        order = torch.randperm(len(image_set), generator=torch.Generator().manual_seed(0))
        held_out, everything = order[: len(order) // 10], order[len(order) // 10 :]
        test = ImageSet(image_set.batch(held_out), image_set.labels[held_out], image_set.classes)
    return instantiate(
        node,
        "metrics.extractor",
        train=LabelledImages(image_set.batch(everything), image_set.labels[everything]),
        test=LabelledImages(test.batch(torch.arange(len(test))), test.labels),
        file=_classifier_file(node, fingerprint, cache),
        device=device,
    )


def _classifier_file(node: DictConfig, fingerprint: str, cache: Path) -> Path:
    settings = json.dumps(OmegaConf.to_container(node), sort_keys=True)
    return classifier_file(cache, f"{fingerprint} {settings} {torch.__version__}")


def extractor_is_ready(cfg: DictConfig, image_set: ImageSet) -> bool:
    """Return whether the extractor needs no training before the run, because it is pretrained or cached."""
    node, cache = cfg.metrics.extractor, Path(cfg.metrics.cache).expanduser()
    return "network" not in node or _classifier_file(node, image_set.fingerprint(), cache).exists()


def best_score(cfg: DictConfig, scores: Scores | None) -> tuple[str | None, str]:
    """Return the name of the score that chooses the best checkpoint, and whether its `min` or `max` is best.

    Raises:
        UserError: metrics.best_by names none of the scores, or one without a direction.
    """
    if scores is None:
        return None, "min"
    name = f"{cfg.metrics.best_by}_{scores.extractor.name}"
    info = scores.info()
    directions = {key: value.get("higher_is_better") for key, value in info.items()}
    if directions.get(name) is None:
        ending = f"_{scores.extractor.name}"
        usable = [
            key.removesuffix(ending) for key in directions if directions[key] is not None and key.endswith(ending)
        ]
        raise UserError(
            f"metrics.best_by={cfg.metrics.best_by}: must be one of {', '.join(usable)}, the scores with a direction "
            "that are computed, or add it to metrics/score"
        )
    return name, "max" if directions[name] else "min"
