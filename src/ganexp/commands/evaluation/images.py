"""Run `ganexp evaluate images=…` and `ganexp evaluate real=…`: score existing images of any origin."""

import logging
from dataclasses import replace
from pathlib import Path

import torch
from omegaconf import DictConfig

from ganexp import build, build_scores
from ganexp.commands.class_names import class_directories
from ganexp.commands.data_summary import describe_images
from ganexp.commands.sample import drawn_images
from ganexp.commands.score_table import print_scores, save_scores, warn_of_few_images
from ganexp.config import schema
from ganexp.config.instantiate import target_name
from ganexp.console import count, progress, say
from ganexp.data.decoding import Decoding
from ganexp.data.files import read_listing
from ganexp.data.images import ImageSet
from ganexp.data.layout import shorten
from ganexp.data.listing import list_images
from ganexp.errors import UserError
from ganexp.metrics.collection import Scores
from ganexp.pixels import from_uint8
from ganexp.training.trainer import choose_device, device_name

log = logging.getLogger(__name__)

FEWEST_IMAGES = 10
FIX_OF_SIZE = "Resizing it would change the scores: score images of one size, and give this size as data.resolution."
OTHER_SHARES = 0.2  # a larger total variation distance between the class shares is reported


def evaluate_images(cfg: DictConfig, scores_node: DictConfig) -> None:
    """Print the scores of a directory or zip of images, or of a split of the dataset itself.

    Args:
        cfg: the resolved config.
        scores_node: the unresolved metrics.scores, which refer to settings that depend on the number of images.

    Raises:
        UserError: both or neither of `images` and `real` are given, metrics=none is chosen, the images do not exist or
            are too few, they do not have the size of the dataset's images (resizing would change the scores), or a
            class directory has an unknown name.
    """
    if (cfg.images is None) == (cfg.real is None):
        raise UserError(
            "Choose what to score: either images=DIRECTORY (or a zip) or real=SPLIT. "
            "To compare two directories: images=DIRECTORY real=DIRECTORY"
        )
    if cfg.metrics.extractor is None:
        raise UserError("metrics=none has no feature extractor: use metrics=classifier or metrics=inception")
    scored = _images(cfg)
    given = f"images={cfg.images}" if cfg.images else f"real={cfg.real}"
    if len(scored) < FEWEST_IMAGES:
        raise UserError(f"{given}: at least {FEWEST_IMAGES} images are needed to score, and there are {len(scored)}")
    cfg.metrics.samples = len(scored)
    cfg.metrics.splits = min(cfg.metrics.splits, len(scored) // 2)
    cfg.metrics.scores = scores_node
    cfg = schema.resolve(cfg)
    other_splits = [split for split in build.available_splits(cfg) if split != cfg.real]
    cfg.metrics.references = cfg.metrics.references or other_splits or [cfg.data.split]
    try:
        scores = _score(cfg, scored)
    except UserError as error:
        number = f"metrics.samples={len(scored)}"
        raise UserError(str(error).replace(number, f"{given} has {count(len(scored), 'image')}")) from None
    record = {
        "scores": scores.compute(),
        "score_info": scores.info(),
        "protocol": scores.protocol() | {"data": target_name(cfg.data.source)},
        "device": device_name(torch.device(scores.device)),
        "by_class": scores.by_class,
        "images": cfg.images,
        "real": cfg.real or cfg.data.get("path"),
    }
    print_scores(record)
    warn_of_few_images(scores)
    if cfg.output:
        save_scores(record, Path(cfg.output) / "scores.json")
    else:
        say("The scores are not saved: output=DIRECTORY would save them as DIRECTORY/scores.json")


def _score(cfg: DictConfig, scored: ImageSet) -> Scores:
    """Return scores that compare the images with the dataset. The images are already added to these scores."""
    image_set = build.build_image_set(cfg)
    scored = _with_classes_of(scored, image_set, cfg.images)
    labels = scored.labels
    device = choose_device(cfg.trainer.accelerator)
    num_classes = 0 if labels is None else image_set.num_classes
    scores = build_scores.build_scores(cfg, image_set, device, num_classes, labels)
    assert scores is not None  # metrics=none has been refused
    scores.choose_at_random()
    scores.reset()
    batches = torch.arange(len(scored)).split(cfg.metrics.batch_size)
    for indices in progress(batches, "scoring"):
        images = from_uint8(scored.batch(indices)).to(device)
        scores.update(images, None if labels is None else labels[indices], indices)
    return scores


def _with_classes_of(scored: ImageSet, image_set: ImageSet, path: str | None) -> ImageSet:
    """Return `scored` with its classes numbered as in `image_set`, or without labels if one of the two has no classes.

    If `scored` has only one class directory, and its name is not a class of the dataset, it is returned without labels,
    too.

    Raises:
        UserError: the names of class directories are not classes of the dataset.
    """
    if image_set.labels is None or scored.labels is None:
        if path and image_set.labels is not None:
            say("images: there are no class directories, so scores that need classes are left out")
        elif path and scored.labels is not None:
            say("images: the class directories are not used, because the dataset has no classes")
        return replace(scored, labels=None, classes=[])
    # the directories may have the names that `ganexp sample` gives to class directories
    drawn = dict(zip(class_directories(image_set.classes), image_set.classes, strict=True))
    scored = replace(scored, classes=[drawn.get(name, name) for name in scored.classes])
    try:
        matched = scored.match_classes(image_set.classes)
    except UserError as error:
        if scored.num_classes == 1:
            say(f"images: the directory {scored.classes[0]} is not a class of the dataset, so no classes are used")
            return replace(scored, labels=None, classes=[])
        raise UserError(
            f"images={path}: {error}\n"
            "Name the directories after the classes, or put all images into one directory to score without classes."
        ) from None
    for note in matched.notes[len(scored.notes) :]:
        say(f"images: {note}")
    absent = [name for name, images in zip(matched.classes, matched.class_counts, strict=True) if not images]
    if absent and path:
        say(f"images: there are no images of {shorten(absent)}, unlike in the dataset")
    elif path:
        _compare_shares(matched, image_set)
    return matched


def _compare_shares(scored: ImageSet, image_set: ImageSet) -> None:
    """Print a line if the class shares of the given images clearly differ from those of the dataset."""
    given, real = (torch.tensor(each.class_counts) / len(each) for each in (scored, image_set))
    if (given - real).abs().sum() / 2 > OTHER_SHARES:
        most = int((given - real).abs().argmax())
        say(
            "images: the classes have other shares than in the dataset, which changes scores such as FID. For example, "
            f"{scored.classes[most]} has {given[most]:.0%} of the images, but {real[most]:.0%} of the dataset"
        )


def _refuse_pictures_beside_samples(path: str) -> None:
    """Raise a UserError if `path` is an output directory of `ganexp sample`, in which grids are beside the samples."""
    drawn = drawn_images(Path(path).expanduser())
    if drawn is None:
        return
    fix = f"Use images={Path(path) / drawn.name}"
    if drawn.suffix == ".npz":
        fix = "An npz cannot be scored: run ganexp sample again with format=zip or format=png, and another output"
    raise UserError(
        f"images={path}: this directory was written by ganexp sample, and has grids beside the images.\n{fix}"
    )


def _images(cfg: DictConfig) -> ImageSet:
    """Return the images to score: a split of the dataset, or given images with directory names as classes."""
    if cfg.real:
        image_set = build.build_image_set(cfg, cfg.real)
        if image_set is None:
            raise UserError(f"real={cfg.real}: this dataset has no such split")
        return image_set
    if not Path(cfg.images).expanduser().exists():
        raise UserError(f"images={cfg.images}: no such directory or zip")
    _refuse_pictures_beside_samples(cfg.images)
    decoding = Decoding(cfg.data.channels, cfg.data.background, cfg.data.source.get("value_range"))
    try:
        listing = list_images(cfg.images, fewest_classes=1)
        held_out = list_images(cfg.images, "test").names
    except UserError as error:
        raise UserError(str(error).replace("path=", "images=", 1)) from None
    scored = read_listing(listing, cfg.data.resolution, decoding, "exact", "auto", "raise", log.warning, FIX_OF_SIZE)
    say(f"images: {describe_images(scored)}")
    for note in [*scored.notes, *scored.warnings]:
        say(f"  {note}")
    if held_out:
        say(f"  not scored: {count(len(held_out), 'image')} of the test split, such as {held_out[0]}")
    return scored
