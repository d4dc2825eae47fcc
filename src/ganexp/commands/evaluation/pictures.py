"""Draw the pictures of `ganexp evaluate`: nearest real images, and diagnostics."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ganexp.console import say, short_path
from ganexp.data.images import ImageSet
from ganexp.loaded_run import LoadedRun
from ganexp.metrics.collection import Scores
from ganexp.metrics.nearest import nearest_images
from ganexp.metrics.reference import random_indices
from ganexp.pixels import to_uint8
from ganexp.plots import grids
from ganexp.plots.captions import titled
from ganexp.plots.diagnostics import nearest_picture, plot_diagnostics
from ganexp.runs.titles import run_title
from ganexp.sampling import sample_images
from ganexp.training.gan import GAN

SHOWN_SAMPLES = 10  # in nearest.png
# diagnostics.png shows PROJECTED samples, and at most as many real images. Samples are drawn in batches of BATCH.
PROJECTED, BATCH = 500, 100


def save_pictures(
    loaded: LoadedRun,
    scores: Scores,
    image_sets: Mapping[str, ImageSet],
    logits: Mapping[str, Tensor],
    seed: int,
    output: Path,
) -> None:
    """Save nearest.png and diagnostics.png, and print their paths.

    Args:
        loaded: the run.
        scores: the scores of the run, which have been computed.
        image_sets: the real images of each split.
        logits: the discriminator's logits for each kind of image.
        seed: seed of the latents.
        output: directory of the pictures.
    """
    gan, title = loaded.gan, run_title(loaded.run)
    title = title and f"{title} · step {gan.step:,}"
    save_nearest(gan, scores, image_sets, seed, output / "nearest.png", title)
    features = feature_samples(gan, scores, seed)
    figure = plot_diagnostics(logits, scores.by_class, image_sets["train"].classes, features, title)
    grids.save_figure(figure, output / "diagnostics.png")
    shown = "logits and features" if logits else "features"
    say(f"{short_path(output / 'diagnostics.png')}: {shown} of real and generated images")


def save_nearest(
    gan: GAN, scores: Scores, image_sets: Mapping[str, ImageSet], seed: int, path: Path, title: str
) -> None:
    """Save a picture of ten samples, each with the real images whose features are nearest to the sample's features.

    The real images are training images, unless the scores compare the samples only with another split.
    """
    samples = next(sample_images(gan, SHOWN_SAMPLES, SHOWN_SAMPLES, seed))
    split = "train" if "train" in scores.references else next(iter(scores.references))
    reference, image_set = scores.references[split], image_sets[split]
    kind = "training images" if split == "train" else f"images of the {split} split"
    nearest, distances = nearest_images(samples, scores.extractor, reference)
    neighbours = torch.stack([image_set.batch(row) for row in nearest])
    picture = titled(nearest_picture(samples, neighbours, distances), f"nearest {kind}, with their distances")
    grids.save_picture(titled(picture, title), path)
    searched, total = len(reference.features), len(image_set)
    which = f"{total:,}" if searched == total else f"{searched:,} of {total:,}"
    say(f"{short_path(path)}: each row shows a generated image and its nearest {kind} ({which} were searched)")


def feature_samples(gan: GAN, scores: Scores, seed: int) -> tuple[Tensor, Tensor] | None:
    """Return features (n ≤ 500, d) of real images, and (500, d) of samples; None if n or d is less than 2."""
    real = next(iter(scores.references.values())).features
    real = real[random_indices(len(real), PROJECTED)].cpu()
    if min(real.shape) < 2:
        return None
    batches = sample_images(gan, PROJECTED, BATCH, seed)
    return real, torch.cat([scores.extractor(to_uint8(images))[0].cpu() for images in batches])
