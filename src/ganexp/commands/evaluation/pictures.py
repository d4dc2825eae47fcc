"""Draw the pictures of `ganexp evaluate`: nearest real images, and diagnostics."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import Tensor

from ganexp.console import say, short_path
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
    classes: Sequence[str],
    logits: Mapping[str, Tensor],
    seed: int,
    output: Path,
    ending: str = "",
) -> None:
    """Save nearest.png and diagnostics.png, and print their paths.

    Values that are not finite are left out of diagnostics.png. The picture is not saved if nothing remains.

    Args:
        loaded: the run.
        scores: the scores of the run, which have been computed.
        classes: names of the classes.
        logits: the discriminator's logits for each kind of image.
        seed: seed of the latents.
        output: directory of the pictures.
        ending: text that follows `nearest` and `diagnostics` in the file names.
    """
    gan, title = loaded.gan, run_title(loaded.run)
    title = title and f"{title} · step {gan.step:,}"
    save_nearest(gan, scores, loaded.cfg.data, seed, output / f"nearest{ending}.png", title)
    diagnostics = output / f"diagnostics{ending}.png"
    finite = {kind: values for kind, values in logits.items() if values.isfinite().all()}
    features = feature_samples(gan, scores, seed)
    shown = " and ".join(name for name, values in (("logits", finite), ("features", features)) if values)
    if not shown:
        say(f"{diagnostics.name} is left out, because there are neither finite logits nor finite features to show")
        return
    figure = plot_diagnostics(finite, scores.by_class, classes, features, title)
    grids.save_figure(figure, diagnostics)
    say(f"{short_path(diagnostics)}: {shown} of real and generated images")


def save_nearest(gan: GAN, scores: Scores, data: DictConfig, seed: int, path: Path, title: str) -> None:
    """Save a picture of ten samples, each with the real images whose features are nearest to the sample's features.

    The real images are those of the training split, unless the scores compare the samples only with other splits.
    """
    samples = next(sample_images(gan, SHOWN_SAMPLES, SHOWN_SAMPLES, seed))
    split = data.split if data.split in scores.references else next(iter(scores.references))
    reference = scores.references[split]
    is_trained_on = split == data.split and data.training_images is None
    kind = "training images" if is_trained_on else f"images of the {split} split"
    nearest, distances = nearest_images(samples, scores.extractor, reference)
    assert scores.real_images is not None  # build_scores gives the images
    neighbours = torch.stack([scores.real_images(split, row) for row in nearest])
    picture = titled(nearest_picture(samples, neighbours, distances), f"nearest {kind}, with their distances")
    grids.save_picture(titled(picture, title), path)
    searched, total = len(reference.features), reference.count
    which = f"{total:,}" if searched == total else f"{searched:,} of {total:,}"
    say(f"{short_path(path)}: each row shows a generated image and its nearest {kind} ({which} were searched)")


def feature_samples(gan: GAN, scores: Scores, seed: int) -> tuple[Tensor, Tensor] | None:
    """Return features of real images, (n, d) with n ≤ 500, and features of samples, (500, d).

    The result is None if n or d is less than 2, or if a feature is not finite.
    """
    real = next(iter(scores.references.values())).features
    real = real[random_indices(len(real), PROJECTED)].cpu()
    if min(real.shape) < 2:
        return None
    batches = sample_images(gan, PROJECTED, BATCH, seed)
    generated = torch.cat([scores.extractor(to_uint8(images))[0].cpu() for images in batches])
    return (real, generated) if real.isfinite().all() and generated.isfinite().all() else None
