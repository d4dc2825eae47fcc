"""From a resolved config to what measures a run: its scores, and the watch on D."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.progress import track
from torch import Tensor

from ganexp.build import build_image_set, make
from ganexp.callbacks.discriminator_logits import LogitWatch
from ganexp.data.images import ImageSet
from ganexp.errors import UserError
from ganexp.metrics.extractors import ModuleExtractor, classifier_file
from ganexp.metrics.reference import Reference, reference
from ganexp.metrics.scores import Scores


def build_scores(
    cfg: DictConfig, image_set: ImageSet | None, device: torch.device, labelled: bool = False
) -> Scores | None:
    """The scores that `cfg.metrics` names, or None with metrics=none. Trains the classifier if it is not cached.

    `labelled` says that the samples to score have labels.

    Raises:
        UserError: a reference split that the set has not, or scores of classes where it has none.
    """
    metrics = cfg.metrics
    if metrics.extractor is None:
        return None
    if "intra_fid" in metrics.scores and not (labelled and cfg.data.num_classes):
        raise UserError(
            "scores: intra_fid compares class by class, and these samples have no classes: "
            "train with model.conditional=true, or leave intra_fid out"
        )
    cache = Path(metrics.cache).expanduser()
    image_set = image_set or build_image_set(cfg)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):  # scoring never changes training
        fingerprint = image_set.fingerprint()
        extractor = build_extractor(cfg, image_set, fingerprint, cache, device)
        references = {}
        for split in metrics.references:
            real = image_set if split == cfg.data.split else build_image_set(cfg, split)
            if real is None:
                raise UserError(f"metrics.references={list(metrics.references)}: this set has no split {split}")
            content = fingerprint if real is image_set else real.fingerprint()
            batches = _batches(real, torch.arange(len(real)), metrics.batch_size, f"reference: {split} images")
            references[split] = reference(extractor, batches, len(real), content, cache, device)

        def class_reference(index: int) -> Reference:
            chosen = (image_set.labels == index).nonzero().flatten()
            batches = _batches(image_set, chosen, metrics.batch_size, f"reference: class {index}")
            return reference(extractor, batches, len(chosen), f"{fingerprint} class {index}", cache, device, kept=1)

        names, fid_at = tuple(metrics.scores), tuple(metrics.fid_at)
        sizes = (metrics.samples, metrics.splits)
        return Scores(extractor, references, *sizes, device, names, fid_at, class_reference)


def _batches(images: ImageSet, chosen: Tensor, size: int, what: str) -> Iterator[Tensor]:
    """The chosen images (N, C, H, W) in batches, with a progress bar where someone looks, once they are asked for."""
    parts = chosen.split(size)
    quiet = not sys.stdout.isatty()
    yield from (images.batch(part) for part in track(parts, what, transient=True, disable=quiet))


def build_watch(cfg: DictConfig, image_set: ImageSet) -> LogitWatch:
    """A look at D on `image_set`, and on the test images where those are others and the set has them."""
    sets = {"train": image_set}
    if cfg.data.split != "test" and (test := build_image_set(cfg, "test")) is not None:
        sets["test"] = test
    return LogitWatch(sets, unit=cfg.data.range == "unit")


def build_extractor(cfg: DictConfig, image_set: ImageSet, fingerprint: str, cache: Path, device: torch.device) -> Any:
    """The extractor that `cfg.metrics` names; a classifier is trained on `image_set` if `cache` has none."""
    node = cfg.metrics.extractor
    if "network" not in node:  # needs no training
        made = make(node, "metrics.extractor").to(device)
        return made if hasattr(made, "identity") else ModuleExtractor(made, image_set.batch(torch.arange(2)).to(device))
    split = cfg.data.split
    test = build_image_set(cfg, "test") if split != "test" else None
    everything = torch.arange(len(image_set))
    if test is None:  # hold out a tenth
        order = torch.randperm(len(image_set), generator=torch.Generator().manual_seed(0))
        held_out, everything = order[: len(order) // 10], order[len(order) // 10 :]
        test = ImageSet(image_set.batch(held_out), image_set.labels[held_out], image_set.classes)
    every = torch.arange(len(test))
    return make(
        node,
        "metrics.extractor",
        images=image_set.batch(everything),
        labels=image_set.labels[everything],
        test_images=test.batch(every),
        test_labels=test.labels,
        cache=cache,
        key=_classifier_key(node, fingerprint),
        device=device,
    )


def _classifier_key(node: DictConfig, fingerprint: str) -> str:
    """What a trained classifier depends on beside its network."""
    recipe = json.dumps(OmegaConf.to_container(node), sort_keys=True)
    return f"{fingerprint} {recipe} {torch.__version__}"


def extractor_is_ready(cfg: DictConfig, image_set: ImageSet) -> bool:
    """Whether the extractor needs no training before the run: Inception, or a classifier that is cached."""
    node = cfg.metrics.extractor
    if "network" not in node:
        return True
    network = make(node.network, "metrics.extractor.network")
    key = _classifier_key(node, image_set.fingerprint())
    return classifier_file(network, Path(cfg.metrics.cache).expanduser(), key).exists()
