"""Time the evaluation of many samples for `bench.py evaluation`; the real images are processed beforehand."""

import statistics
import tempfile
from pathlib import Path

import torch
from bench_cases import CASES, build_case, compose_case, machine
from bench_scores import save_random_inception

from ganexp import build
from ganexp.build_scores import build_scores
from ganexp.commands.estimation.timing import clock
from ganexp.metrics.collection import Scores
from ganexp.sampling import generate
from ganexp.training.gan import GAN

REAL = 10_000  # largest number of reference images; this number does not affect the time of an evaluation


def evaluation(device: torch.device, rounds: int, count: int, batch_size: int) -> None:
    """Print what share of an evaluation's time is spent on computing scores from features.

    On a GPU, also print how many seconds an evaluation takes. The scores are IS, FID and KID. The SNGAN for 32x32
    images generates the images, and an Inception-v3 with random weights computes the features of these images.

    Args:
        device: device on which images, features and scores are computed.
        rounds: number of timed evaluations, after an untimed evaluation of few images to warm up.
        count: number of generated images, which are compared with at most REAL real images.
        batch_size: number of images that are generated and scored together.
    """
    print(machine(device))
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / "weights" / "inception.pth"
        save_random_inception(weights)
        gan, scores = build_evaluation(device, count, batch_size, weights)
        add_samples(gan, scores, min(count, 4 * batch_size), batch_size)
        times = []
        for _ in range(rounds):
            started = clock(device)
            add_samples(gan, scores, count, batch_size)
            added = clock(device)
            scores.compute()
            times.append((added - started, clock(device) - added))
    shares = [last / (first + last) for first, last in times]
    print(
        f"{count:,} images, batch {batch_size}: computing the scores from features takes "
        f"{100 * statistics.median(shares):.0f} % of the time"
    )
    if device.type == "cuda":
        totals = [sum(each) for each in times]
        print(f"{statistics.median(totals):.2f} s ({min(totals):.2f} to {max(totals):.2f}), {rounds} rounds")


def build_evaluation(device: torch.device, count: int, batch_size: int, weights: Path) -> tuple[GAN, Scores]:
    """Return a GAN, and the scores for its samples; the scores already contain the statistics of the real images."""
    cfg = compose_case(
        [
            *CASES["sngan"],
            f"data.source.size={min(count, REAL)}",
            "metrics=inception",
            "metrics/score=[is,fid,kid]",
            f"metrics.weights={weights}",
            f"metrics.cache={weights.parent}",
            f"metrics.samples={count}",
            f"metrics.batch_size={batch_size}",
        ]
    )
    gan, _ = build_case(cfg, device)
    scores = build_scores(cfg, build.build_image_set(cfg), device, num_classes=cfg.data.num_classes)
    if scores is None:
        raise SystemExit("there are no scores")
    return gan.to(device), scores


def add_samples(gan: GAN, scores: Scores, count: int, batch_size: int) -> None:
    """Reset the scores, generate `count` images, and add these images to the scores."""
    scores.reset()
    for indices in torch.arange(count).split(batch_size):
        labels = None if scores.labels is None else scores.labels.values[indices]
        scores.update(generate(gan, gan.evaluation_latents[indices], labels), labels, indices)
