"""`ganexp evaluate images=…` and `real=…`: score images that exist already, whatever generated them."""

from pathlib import Path

import torch
from omegaconf import DictConfig

from ganexp import build, build_scores
from ganexp.commands.score_table import print_scores, save_scores
from ganexp.config.instantiate import target_name
from ganexp.console import progress
from ganexp.data import sets
from ganexp.data.images import ImageSet
from ganexp.errors import UserError
from ganexp.metrics.collection import Scores
from ganexp.pixels import from_uint8
from ganexp.training.trainer import choose_device

FEWEST_IMAGES = 10


def evaluate_images(cfg: DictConfig) -> None:
    """Print the scores of a directory or zip of images, or of a split of the dataset itself.

    Raises:
        UserError: not exactly one of `images` and `real`, no images there, or images of another size than the
            dataset's, since resizing would change their scores.
    """
    if (cfg.images is None) == (cfg.real is None):
        raise UserError("Name what to score, one of: images=DIRECTORY (or a zip), real=SPLIT")
    if cfg.metrics.extractor is None:
        raise UserError("metrics=none has no feature extractor: use metrics=classifier or metrics=inception")
    scored = _images(cfg)
    if len(scored) < FEWEST_IMAGES:
        raise UserError(f"{len(scored)} images are too few to score: at least {FEWEST_IMAGES} are needed")
    cfg.metrics.samples = len(scored)
    cfg.metrics.splits = min(cfg.metrics.splits, len(scored) // 2)
    other_splits = [split for split in build.available_splits(cfg) if split != cfg.real]
    cfg.metrics.references = cfg.metrics.references or other_splits or [cfg.data.split]
    scores = _score(cfg, scored)
    record = {
        "scores": scores.compute(),
        "score_info": scores.info(),
        "protocol": scores.protocol() | {"data": target_name(cfg.data.source)},
        "by_class": scores.by_class,
        "images": cfg.images,
        "real": cfg.real,
    }
    print_scores(record)
    if cfg.output:
        save_scores(record, Path(cfg.output) / "scores.json")


def _score(cfg: DictConfig, scored: ImageSet) -> Scores:
    """Return the scores of the images against the dataset, ready to be computed."""
    image_set = build.build_image_set(cfg)
    have_same_classes = scored.classes == image_set.classes  # then the labels mean the same
    labels = scored.labels if have_same_classes else None
    device = choose_device(cfg.trainer.accelerator)
    scores = build_scores.build_scores(cfg, image_set, device, len(image_set.classes) if labels is not None else 0)
    scores.reset()
    batches = torch.arange(len(scored)).split(cfg.metrics.batch_size)
    for indices in progress(batches, "scoring"):
        images = from_uint8(scored.batch(indices)).to(device)
        scores.update(images, None if labels is None else labels[indices], indices)
    return scores


def _images(cfg: DictConfig) -> ImageSet:
    """Return the images to score."""
    if cfg.real:
        image_set = build.build_image_set(cfg, cfg.real)
        if image_set is None:
            raise UserError(f"real={cfg.real}: this dataset has no such split")
        return image_set
    if not Path(cfg.images).expanduser().exists():
        raise UserError(f"images={cfg.images}: no such directory or zip")
    size = {"resolution": cfg.data.resolution, "channels": cfg.data.channels}
    return sets.folder("", "train", **size, path=cfg.images, fit="exact", on_error="raise")
