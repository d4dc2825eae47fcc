"""Estimate the cost of a run on this machine from the times of some real steps and a part of an evaluation."""

import math
import resource
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from ganexp import build, log_keys, offline
from ganexp.commands.estimation.device_rate import best_rate
from ganexp.commands.estimation.scores import ScoringTime, time_scores
from ganexp.commands.estimation.steps import time_steps
from ganexp.commands.estimation.timing import timed
from ganexp.commands.precision import choose_precision
from ganexp.commands.threads import choose_threads
from ganexp.config.instantiate import target_name, to_plain
from ganexp.data.images import ImageSet
from ganexp.plots import grids
from ganexp.plots.curves import plot_curves
from ganexp.runs.run_directory import RunDirectory
from ganexp.sampling import sample_grid
from ganexp.training import trainer as trainers
from ganexp.training.gan import GAN

ASSUMED_IMAGES = 50_000  # assumed size of a dataset that is not on this machine
BYTES_PER_LOG_POINT = 1000  # in metrics.jsonl and TensorBoard together, roughly
GIB = 2**30


@dataclass
class Estimate:
    """The cost of a run.

    Attributes:
        peak_gflops: best measured rate of the device for a convolution or a matrix product, in 1e9 operations a second.
        share_of_peak: rate of a step, as a share of `peak_gflops`.
        once_hours: hours for each kind of work that only the first run on a dataset does.
        once_files: for each kind of work in `once_hours`, a file name that is the same only for equal work.
    """

    device: str
    seconds_a_step: float
    gflops_a_step: float | None
    peak_gflops: float
    share_of_peak: float | None
    seconds_an_evaluation: float
    evaluations: int
    hours: float
    evaluation_share: float
    once_hours: dict[str, float]
    once_files: dict[str, str]
    memory_gib: float
    gpu_memory_gib: float | None
    disk_gib: float
    notes: list[str] = field(default_factory=list)


def estimate(cfg: DictConfig) -> dict[str, Any]:
    """Return hours, memory and disk space of the run that the resolved `cfg` describes.

    A dataset that is not on this machine is replaced by random images of the same shape. Nothing is downloaded, and no
    files are left.
    """
    cfg = OmegaConf.create(to_plain(cfg))
    with (
        tempfile.TemporaryDirectory(prefix="ganexp-") as scratch,
        redirect_stdout(sys.stderr),
        offline.offline(),
        torch.random.fork_rng(devices=[]),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        dataset = target_name(cfg.data.source)
        grows, cfg.schedule.growth = cfg.schedule.growth is not None, None  # do not time the first, small networks
        result = _estimate(cfg, Path(scratch))
    if grows:
        result.notes.append("the networks grow, and every step was assumed to cost as much as one at full size")
    if target_name(cfg.data.source) != dataset:  # random images replace the dataset
        images = f"{ASSUMED_IMAGES:,}"
        result.notes.append(f"{dataset} is not on this machine: random images are used, assuming {images} images")
    if result.once_hours:
        result.once_hours = {f"{what} of {dataset}": hours for what, hours in result.once_hours.items()}
        result.once_files = {f"{what} of {dataset}": file for what, file in result.once_files.items()}
        result.notes.append("hours are for a run with a filled cache; the first run also needs once_hours")
    return asdict(result)


def total(jobs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the cost of a sweep that runs its jobs one after another, from the `estimate` of each job.

    Work that several jobs need, such as the training of the same classifier, counts once.
    """
    once: dict[str, dict[str, float]] = {}
    for job in jobs:
        for what, hours in job["once_hours"].items():
            by_file = once.setdefault(what, {})
            file = job["once_files"][what]
            by_file[file] = max(hours, by_file.get(file, 0.0))
    hours = sum(job["hours"] for job in jobs)
    evaluation_hours = sum(job["hours"] * job["evaluation_share"] for job in jobs)
    gpu_memory = [job["gpu_memory_gib"] for job in jobs if job["gpu_memory_gib"] is not None]
    return {
        "jobs": len(jobs),
        "hours": hours,
        "evaluation_share": evaluation_hours / hours,
        "once_hours": {what: sum(by_file.values()) for what, by_file in once.items()},
        "memory_gib": max(job["memory_gib"] for job in jobs),
        "gpu_memory_gib": max(gpu_memory, default=None),
        "disk_gib": sum(job["disk_gib"] for job in jobs),
        "notes": list(dict.fromkeys(note for job in jobs for note in job["notes"])),
    }


@dataclass(frozen=True)
class _Files:
    """Sizes of the files of a run, in bytes."""

    checkpoint: int
    picture: int


def _estimate(cfg: DictConfig, scratch: Path) -> Estimate:
    device = trainers.choose_device(cfg.trainer.accelerator)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    trainers.choose_algorithms(cfg.trainer.deterministic, cfg.trainer.tf32)
    image_set, is_here = _image_set(cfg)
    images = len(image_set) if is_here else ASSUMED_IMAGES
    pl.seed_everything(cfg.seed, verbose=False)
    gan, run = build.build_gan(cfg), RunDirectory(scratch / "run")
    if device.type == "cpu":
        choose_threads(cfg, gan)
    choose_precision(cfg, gan, device)
    stream = build.build_stream(cfg, image_set, device)
    gan.connect(stream)
    stopwatch, trainer = time_steps(cfg, gan, stream, run)
    seconds_a_step, peak = stopwatch.seconds_a_step(), _peak(cfg, device)
    drawing_seconds, picture_bytes = timed(device, lambda: _draw_pictures(gan.to(device), run))
    saving_seconds, _ = timed(device, lambda: trainer.save_checkpoint(run.last, weights_only=False))
    scoring = ScoringTime(0.0)
    if cfg.metrics.extractor:
        scoring = time_scores(cfg, gan, image_set, is_here, images, scratch)
    steps, counted, notes = _length(cfg, gan)
    evaluations = min(steps, math.ceil(counted / cfg.schedule.evaluate_every)) + 1  # one before the first step
    seconds_an_evaluation = drawing_seconds + scoring.seconds + _checkpoints(cfg) * saving_seconds
    training_seconds, evaluation_seconds = steps * seconds_a_step, evaluations * seconds_an_evaluation
    total_seconds = training_seconds + evaluation_seconds
    files = _Files(run.last.stat().st_size, picture_bytes)
    return Estimate(
        device=trainers.device_name(device),
        seconds_a_step=_four_digits(seconds_a_step),
        gflops_a_step=None if stopwatch.flops is None else _four_digits(stopwatch.flops / 1e9),
        peak_gflops=_four_digits(peak / 1e9),
        share_of_peak=None if stopwatch.flops is None else _four_digits(stopwatch.flops / seconds_a_step / peak),
        seconds_an_evaluation=_four_digits(seconds_an_evaluation),
        evaluations=evaluations,
        hours=_four_digits(total_seconds / 3600),
        evaluation_share=_four_digits(evaluation_seconds / total_seconds),
        once_hours={what: _four_digits(seconds / 3600) for what, seconds in scoring.once_seconds.items()},
        once_files=scoring.once_files,
        memory_gib=_four_digits(_memory_bytes(cfg, images - len(image_set)) / GIB),
        gpu_memory_gib=_gpu_memory_gib(device),
        disk_gib=_four_digits(_disk_bytes(cfg, files, counted, evaluations) / GIB),
        notes=[*scoring.notes, *notes],
    )


def _peak(cfg: DictConfig, device: torch.device) -> float:
    """Return the best measured rate of the device in the precision of the run, in operations a second."""
    dtype = torch.bfloat16 if cfg.trainer.precision.startswith("bf16") else torch.float32
    return best_rate(device, dtype, torch.get_num_threads())


def _checkpoints(cfg: DictConfig) -> int:
    """Return the number of checkpoints besides those of schedule.keep_at: the last and, if scores exist, the best."""
    return 2 if cfg.metrics.extractor else 1


def _disk_bytes(cfg: DictConfig, files: _Files, counted: Fraction | int, evaluations: int) -> int:
    """Return the disk space of a run in bytes: checkpoints, pictures and logged points.

    `counted` is the length of the run in the unit in which evaluations and logged points are counted.
    """
    points = counted // min(cfg.trainer.log_every, cfg.schedule.evaluate_every)
    pictures = 2 * (evaluations + 2)  # each is saved as a file and in TensorBoard; two show interpolations
    checkpoints = _checkpoints(cfg) + len(cfg.schedule.keep_at)
    return checkpoints * files.checkpoint + pictures * files.picture + points * BYTES_PER_LOG_POINT


def _four_digits(value: float) -> float:
    """Return `value` rounded to four digits, because the estimate is not more accurate."""
    return float(f"{value:.4g}")


def _image_set(cfg: DictConfig) -> tuple[ImageSet, bool]:
    """Return the dataset and True; if it is missing, put random images into `cfg`, and return them and False."""
    try:
        return build.build_image_set(cfg), True
    except offline.NotHere:
        size = max(1000, cfg.schedule.batch_size)
        cfg.data.source = {"_target_": "ganexp.data.sets.fake", "num_classes": cfg.data.num_classes, "size": size}
        cfg.data.split, cfg.metrics.references = "train", ["train"] * len(cfg.metrics.references)
        return build.build_image_set(cfg), False


def _draw_pictures(gan: GAN, run: RunDirectory) -> int:
    """Draw the pictures of an evaluation, and return the file size of the sample grid in bytes."""
    path, columns = run.path / "picture.png", 10
    grids.save_picture(grids.image_grid(sample_grid(gan, 0, columns, columns), columns), path)
    losses = {log_keys.loss_key("generator"): 1.0, log_keys.loss_key("discriminator"): 1.0}
    points = [{"step": step, log_keys.score_key("fid"): 1.0 + step} | losses for step in range(2)]
    info = {"fid": {"higher_is_better": False, "plot_scale": "log"}}
    grids.save_figure(plot_curves(points, info, ""), run.path / "curves.png")
    return path.stat().st_size


def _length(cfg: DictConfig, gan: GAN) -> tuple[int, Fraction | int, list[str]]:
    """Return the length of the run in steps, its length in the unit in which evaluations are counted, and notes.

    If the losses determine the number of discriminator updates in a step, the mean of the timed steps is used.
    """
    schedule, most, known = cfg.schedule, cfg.schedule.max_d_steps or math.inf, gan.update_rule.updates_per_step
    a_step = Fraction(gan.d_steps, gan.step) if known is None else known
    steps, d_steps, notes = schedule.steps, a_step * schedule.steps, []
    if d_steps >= most:
        cycle = gan.steps_per_d_update
        steps, d_steps = min(steps, math.ceil(most / (a_step * cycle)) * cycle), most
        source = ", as estimated from the timed steps" if known is None else ""
        notes = [f"the run ends after {most:,} discriminator updates: at {steps:,} steps{source}"]
    return steps, d_steps if schedule.evaluate_by == "d_steps" else steps, notes


def _memory_bytes(cfg: DictConfig, missing_images: int) -> int:
    """Return the peak memory of this process in bytes, plus the memory of images that only a real run would load."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return used + missing_images * cfg.data.channels * cfg.data.resolution**2


def _gpu_memory_gib(device: torch.device) -> float | None:
    return _four_digits(torch.cuda.max_memory_reserved(device) / GIB) if device.type == "cuda" else None
