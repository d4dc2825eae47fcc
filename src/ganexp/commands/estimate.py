"""What a run will cost on this machine: some real steps and a piece of an evaluation, timed. Nothing stays on disk."""

import resource
import sys
import tempfile
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torchvision.models import inception_v3

from ganexp import build, measure, offline
from ganexp.callbacks.curves import draw_curves
from ganexp.callbacks.evaluation import draw, drawn_labels, sample_grid
from ganexp.callbacks.random_state import RandomState
from ganexp.data.datamodule import StreamData
from ganexp.data.images import ImageSet
from ganexp.loggers.record import Record
from ganexp.metrics.reference import reference, reference_file
from ganexp.metrics.scores import WITH_EVERY_FEATURE, WITH_FEATURES, Scores, to_uint8
from ganexp.plots import grids
from ganexp.runs.run_directory import RunFolder
from ganexp.training.gan import GAN

WARM_UP, TIMED = 3, 10  # steps
PATIENCE = 30  # seconds after which fewer steps must do
ASSUMED = 50_000  # images of a set that is not here
POINT = 1000  # bytes of a logged point in metrics.jsonl and TensorBoard, about
GIB = 2**30


def estimate(cfg: DictConfig) -> dict[str, Any]:
    """Hours, memory and disk of the run that the resolved `cfg` describes. Data that is not on disk is made up.

    `once` is what the first run on a set does before it starts, and later ones find in the cache.
    """
    with (
        tempfile.TemporaryDirectory(prefix="ganexp-") as scratch,
        redirect_stdout(sys.stderr),
        offline.offline(),
        torch.random.fork_rng(),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        return _estimate(OmegaConf.create(OmegaConf.to_container(cfg)), Path(scratch))


def _estimate(cfg: DictConfig, scratch: Path) -> dict[str, Any]:
    device = build.choose_device(cfg.trainer.accelerator)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    name = cfg.data.source._target_.rsplit(".", 1)[-1]
    image_set, here = _image_set(cfg)
    count = len(image_set) if here else ASSUMED
    pl.seed_everything(cfg.seed, verbose=False)
    gan, folder = build.build_gan(cfg), RunFolder(scratch / "run")
    gan.stream = build.build_stream(cfg, image_set, device)
    step, trainer = _train(cfg, gan, folder)
    evaluation, picture = _seconds(device, lambda: _draw(gan.to(device), folder))
    saving, _ = _seconds(device, lambda: trainer.save_checkpoint(folder.last, weights_only=False))
    size = folder.last.stat().st_size
    once, notes = {}, []
    if cfg.metrics.extractor:
        scoring, once, notes = _score(cfg, gan, image_set, here, count, scratch)
        evaluation += scoring
        once = {f"{what} of {name}": seconds / 3600 for what, seconds in once.items()}
    if not here:
        notes.append(f"{name} is not on this machine: made images of its shape were used, {ASSUMED:,} of them assumed")
    copies = 2 if cfg.metrics.extractor else 1  # best and last
    steps = cfg.schedule.steps
    if most := cfg.schedule.max_d_steps:
        steps = min(steps, most * gan.step // gan.d_steps)
        notes.append(
            f"the run ends after {most:,} discriminator updates: at {steps:,} steps, if all are as those timed"
        )
    evaluations = steps // cfg.schedule.evaluate_every + 1  # one before the first step
    training, evaluating = steps * step, evaluations * (evaluation + copies * saving)
    points = steps // min(cfg.trainer.log_every, cfg.schedule.evaluate_every)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if not here:
        memory += (count - len(image_set)) * cfg.data.channels * cfg.data.resolution**2
    gpu = torch.cuda.max_memory_reserved(device) / GIB if device.type == "cuda" else None
    disk = copies * size + 2 * (evaluations + 2) * picture + points * POINT  # TensorBoard keeps the pictures, too
    if once:
        notes.append("hours are those of a run that finds in the cache what once_hours are for")
    return {
        "device": build.device_name(device),
        "seconds_a_step": _short(step),
        "seconds_an_evaluation": _short(evaluating / evaluations),
        "evaluations": evaluations,
        "hours": _short((training + evaluating) / 3600),
        "evaluation_share": _short(evaluating / (training + evaluating)),
        "once_hours": {what: _short(hours) for what, hours in once.items()},
        "memory_gib": _short(memory / GIB),
        "gpu_memory_gib": gpu and _short(gpu),
        "disk_gib": _short(disk / GIB),
        "notes": notes,
    }


def _short(value: float) -> float:
    """Four digits: more are not known."""
    return float(f"{value:.4g}")


def total(points: list[dict[str, Any]]) -> dict[str, Any]:
    """The estimate of a sweep whose points' are `points`, run one after another on this machine."""
    once: dict[str, float] = {}
    for point in points:
        once |= {what: max(hours, once.get(what, 0.0)) for what, hours in point["once_hours"].items()}
    hours = sum(point["hours"] for point in points)
    evaluating = sum(point["hours"] * point["evaluation_share"] for point in points)
    gpu = [point["gpu_memory_gib"] for point in points if point["gpu_memory_gib"] is not None]
    return {
        "points": len(points),
        "hours": hours,
        "evaluation_share": evaluating / hours,
        "once_hours": once,
        "memory_gib": max(point["memory_gib"] for point in points),
        "gpu_memory_gib": max(gpu, default=None),
        "disk_gib": sum(point["disk_gib"] for point in points),
        "notes": list(dict.fromkeys(note for point in points for note in point["notes"])),
    }


def _image_set(cfg: DictConfig) -> tuple[ImageSet, bool]:
    """The set and whether it is the true one; `cfg` is changed to name the made one."""
    try:
        return build.build_image_set(cfg), True
    except offline.NotHere:
        size = max(1000, cfg.schedule.batch_size)
        cfg.data.source = {"_target_": "ganexp.data.sets.fake", "num_classes": cfg.data.num_classes, "size": size}
        cfg.data.split, cfg.metrics.references = "train", ["train"] * len(cfg.metrics.references)
        return build.build_image_set(cfg), False


class _Stopwatch(pl.Callback):
    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, gan: GAN, *args: Any) -> None:
        self.times.append(_clock(gan.device))
        if len(self.times) > 1 and self.times[-1] - self.times[0] > PATIENCE:
            trainer.should_stop = True

    def seconds(self) -> float:
        """A step after the first ones."""
        times = self.times[min(WARM_UP, len(self.times) - 2) :]
        return (times[-1] - times[0]) / (len(times) - 1)


def _train(cfg: DictConfig, gan: GAN, folder: RunFolder) -> tuple[float, pl.Trainer]:
    """Seconds a step, and who has trained."""
    stopwatch, gan.max_d_steps = _Stopwatch(), None
    folder.path.mkdir()
    trainer = pl.Trainer(
        accelerator="cpu" if gan.stream.device.type == "cpu" else "gpu", devices=1, precision=cfg.trainer.precision,
        max_epochs=1, logger=Record(folder), log_every_n_steps=0, benchmark=True, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, default_root_dir=str(folder.path),
        callbacks=[RandomState(), stopwatch],
    )  # fmt: skip
    trainer.fit(gan, datamodule=StreamData(gan.stream, WARM_UP + TIMED + 1))
    return stopwatch.seconds(), trainer


def _draw(gan: GAN, folder: RunFolder) -> int:
    """What every evaluation draws; the bytes of its picture."""
    path = folder.path / "picture.png"
    grids.save(sample_grid(gan, 0), path)
    rows = [{"step": s, "loss/generator": 1.0, "loss/discriminator": 1.0, "score/fid": 1.0 + s} for s in range(2)]
    draw_curves(rows, "").savefig(folder.path / "curves.png")
    return path.stat().st_size


def _score(
    cfg: DictConfig, gan: GAN, image_set: ImageSet, here: bool, count: int, scratch: Path
) -> tuple[float, dict[str, float], list[str]]:
    """Seconds to score, seconds of what is done once for this set, and notes."""
    metrics, device = cfg.metrics, gan.device
    extractor, training, notes = _extractor(cfg, image_set, here, scratch, device)
    batch = min(metrics.samples, metrics.batch_size, 500 if device.type == "cuda" else 64)
    real = image_set.batch(torch.arange(min(batch, len(image_set))))
    made = reference(extractor, [real], len(real), "", scratch, device)  # warms up, too
    reading, _ = _seconds(device, lambda: extractor(real.to(device)))
    once = {f"{extractor.name} (trained)": training} if training else {}
    cache = Path(metrics.cache).expanduser()
    if training or not here or not reference_file(extractor, image_set.fingerprint(), cache).exists():
        once[f"{extractor.name}'s reference"] = reading * count / len(real) * len(metrics.references)

    def extract() -> None:
        for images in draw(gan, batch, batch, 0):
            extractor(to_uint8(images))

    references = {str(number): made for number in range(len(metrics.references))}
    names = tuple(name for name in metrics.scores if name in ("is", "fid")) or ("fid",)
    scores = Scores(extractor, references, batch, min(metrics.splits, max(batch // 2, 1)), device, names)
    drawing, _ = _seconds(device, extract)
    whole, _ = _seconds(device, lambda: scores(draw(gan, batch, batch, 0), drawn_labels(gan, batch)))
    fixed = max(whole - drawing, 0.0) * (1 + len(metrics.fid_at))
    if untimed := sorted(WITH_EVERY_FEATURE & set(metrics.scores)):
        notes.append(f"without {', '.join(untimed)}, which take their time")
    if of_some := tuple(WITH_FEATURES & set(metrics.scores)):  # of features, as many as the run keeps
        kept = min(metrics.samples, 10_000)
        made.features = torch.randn(min(count, 10_000), extractor.feature_dim, device=device)
        pairs = Scores(extractor, references, kept, metrics.splits, device, of_some)
        features = torch.randn(kept, extractor.feature_dim, device=device)
        fixed += _seconds(device, lambda: pairs.of_features(features, None, None))[0]
    return drawing * metrics.samples / batch + fixed, once, notes


def _extractor(
    cfg: DictConfig, image_set: ImageSet, here: bool, scratch: Path, device: torch.device
) -> tuple[Any, float, list[str]]:
    """The extractor or one like it, the seconds that its training will take, and notes."""
    fingerprint, node = image_set.fingerprint(), cfg.metrics.extractor
    if "network" not in node or (here and measure.extractor_is_ready(cfg, image_set)):
        try:
            cache = Path(cfg.metrics.cache).expanduser()
            return measure.build_extractor(cfg, image_set, fingerprint, cache, device).to(device), 0.0, []
        except offline.NotHere:
            note = "Inception's weights are not on this machine: one with random weights was timed"
            return _Inception().to(device), 0.0, [note]
    times, updates = {}, node.updates
    for few in (3, 15):
        node.updates = few
        place = scratch / f"updates-{few}"
        times[few], extractor = _seconds(
            device, lambda p=place: measure.build_extractor(cfg, image_set, fingerprint, p, device)
        )
    update = max(times[15] - times[3], 0.0) / 12
    return extractor.to(device), times[3] + max(updates - 3, 0) * update, []


class _Inception(nn.Module):
    """Inception-v3 with random weights: as quick as one with the true ones."""

    name, feature_dim, identity = "inception", 2048, "random"

    def __init__(self) -> None:
        super().__init__()
        self.network = inception_v3(init_weights=False, transform_input=False).eval().requires_grad_(False)
        self.network.fc = nn.Identity()

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = images.expand(-1, 3, -1, -1).float() / 255
        features = self.network(nn.functional.interpolate(x, (299, 299), mode="bilinear"))  # (N, 3, H, W) -> (N, 2048)
        return features, features[:, :1008]


def _seconds(device: torch.device, work: Any) -> tuple[float, Any]:
    """How long `work` takes, and what it returns."""
    started = _clock(device)
    result = work()
    return _clock(device) - started, result


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
