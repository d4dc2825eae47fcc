"""`ganexp evaluate`: scores of a checkpoint, on latents that did not choose it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from ganexp.build import build_image_set, choose_device, load_run
from ganexp.callbacks.evaluation import draw, drawn_labels, measured
from ganexp.config import checks, schema
from ganexp.data import sets
from ganexp.errors import UserError
from ganexp.measure import build_scores, build_watch
from ganexp.plots import grids
from ganexp.plots.diagnostics import draw_watches, nearest, nearest_picture, prefers
from ganexp.runs.run_directory import environment, now


def evaluate(cfg: DictConfig) -> None:
    """Prints the scores and writes them, with what they were measured on, to scores.json.

    With metrics other than the run's own, to scores-EXTRACTOR.json. They speak of the run's data, so `cfg` comes
    unresolved.
    """
    settings = OmegaConf.to_container(cfg)
    ruler = settings.pop("metrics")
    cfg = schema.resolve(OmegaConf.create(settings))
    run, gan, folder, facts = load_run(cfg.ckpt, cfg.accelerator)
    if ruler:
        run.metrics = ruler
        run = schema.resolve(run)
        checks.check(run, gan)
    if run.metrics.extractor is None:
        raise UserError(
            f"{folder.path} was trained with metrics=none: say what to score with, "
            "metrics=classifier (labelled sets) or metrics=inception"
        )
    if cfg.data_root:
        run.data.root = cfg.data_root
    if cfg.weights:
        run.metrics.extractor.weights = cfg.weights
    if cfg.samples:
        run.metrics.samples = cfg.samples
    if run.metrics.samples < 2 * run.metrics.splits:
        least = 2 * run.metrics.splits
        raise UserError(f"samples={run.metrics.samples}: at least {least}, two a split of the Inception Score")
    run.metrics.scores, run.metrics.fid_at = cfg.scores, cfg.fid_at
    run.metrics.references = cfg.references or _splits(run)
    image_set = build_image_set(run)
    scores = build_scores(run, image_set, gan.device, labelled=gan.num_classes > 0)
    batches = draw(gan, run.metrics.samples, run.metrics.batch_size, cfg.seed)
    values = scores(_shown(batches, run.metrics), drawn_labels(gan, run.metrics.samples))
    logits = build_watch(run, image_set).logits(gan, cfg.seed)
    protocol = scores.protocol() | measured(gan) | {"seed": cfg.seed, "data": _data(run)}
    record = {"scores": values, "protocol": protocol, "by_class": scores.by_class, "d_logit": _means(logits), **facts}
    output = Path(cfg.output or folder.path)
    output.mkdir(parents=True, exist_ok=True)
    samples = next(draw(gan, 10, 10, cfg.seed))
    found = nearest(samples, scores.extractor, scores.references[run.metrics.references[0]])
    neighbours = torch.stack([image_set.batch(row) for row in found])
    grids.save(nearest_picture(samples, neighbours), output / "nearest.png")
    if logits or scores.by_class:
        draw_watches(logits, scores.by_class, image_set.classes).savefig(output / "watches.png")
    _tell(record, output / (f"scores-{scores.extractor.name}.json" if ruler else "scores.json"))
    kept, total = len(scores.references[run.metrics.references[0]].features), len(image_set)
    seen = f"the {total:,} training images" if kept == total else f"{kept:,} of the {total:,} training images"
    print(f"{output / 'nearest.png'}: left a sample, right of the bar the nearest of {seen}")
    if logits or scores.by_class:
        print(f"{output / 'watches.png'}: D's logits on train, test and fake images; classes")


def _means(logits: dict[str, Tensor]) -> dict[str, float]:
    """D's mean logit by kind; and the chance that D takes a training image to be more real than a held-out one."""
    means = {kind: values.mean().item() for kind, values in logits.items()}
    if "test" in logits:
        means["train_above_test"] = prefers(logits["train"], logits["test"])
    return means


def evaluate_images(cfg: DictConfig) -> None:
    """Prints the scores of a folder or zip of images, or of a split of the set itself, against the set.

    Raises:
        UserError: no images, or images of another size than the set's: resizing would change their scores.
    """
    if (cfg.images is None) == (cfg.real is None):
        raise UserError("Name what to score, one of: images=FOLDER (or a zip), real=SPLIT")
    if cfg.metrics.extractor is None:
        raise UserError("metrics=none has no extractor to score with: use metrics=classifier or metrics=inception")
    if cfg.real:
        shown = build_image_set(cfg, cfg.real)
    elif not Path(cfg.images).expanduser().exists():
        raise UserError(f"images={cfg.images}: no such directory or zip")
    else:
        sizes = {"resolution": cfg.data.resolution, "channels": cfg.data.channels}
        shown = sets.folder("", "train", **sizes, path=cfg.images, fit="exact", on_error="raise")
    if shown is None:
        raise UserError(f"real={cfg.real}: this set has no such split")
    if len(shown) < 10:
        raise UserError(f"{len(shown)} images are too few to score: at least 10")
    cfg.metrics.samples = len(shown)
    cfg.metrics.splits = min(cfg.metrics.splits, len(shown) // 2)
    others = [split for split in _splits(cfg) if split != cfg.real]
    cfg.metrics.references = cfg.metrics.references or others or [cfg.data.split]
    image_set = build_image_set(cfg)
    labels = shown.labels if shown.classes == image_set.classes else None  # folders named as the set's classes
    device = choose_device(cfg.trainer.accelerator)
    scores = build_scores(cfg, image_set, device, labelled=labels is not None)
    batches = torch.arange(len(shown)).split(cfg.metrics.batch_size)
    values = scores(_shown((shown.batch(chosen) / 127.5 - 1 for chosen in batches), cfg.metrics), labels)
    protocol = scores.protocol() | {"data": _data(cfg)}
    record = {"scores": values, "protocol": protocol, "by_class": scores.by_class}
    record |= {"images": cfg.images, "real": cfg.real}
    _tell(record, Path(cfg.output) / "scores.json" if cfg.output else None)


def _data(cfg: DictConfig) -> str:
    return cfg.data.source._target_.rsplit(".", 1)[1]


def _tell(record: dict[str, Any], file: Path | None) -> None:
    """Prints the scores as a table, and writes everything to `file`."""
    protocol = record["protocol"]
    Console().print(_table(record["scores"], list(protocol["references"])))
    against = " and ".join(f"{real['images']:,} images ({split})" for split, real in protocol["references"].items())
    text = f"{protocol['samples']:,} samples against {against} of {protocol['data']}"
    if "step" in record:
        text = f"step {record['step']:,}: {text}"
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = record | {"time": now(), **environment()}
        file.write_text(json.dumps(whole, indent=2) + "\n")
        text += f"; written to {file}"
    print(text)


def _table(values: dict[str, float], splits: list[str]) -> Table:
    """A row a score, a column a reference; spread and interval beside the value that they belong to."""
    rows: dict[str, list[str]] = {}
    for name, value in values.items():
        if name.endswith(("_std", "_low", "_high")):
            continue
        text = f"{value:.5g}"
        if f"{name}_std" in values:
            text += f" ± {values[f'{name}_std']:.2g}"
        if f"{name}_low" in values:
            text += f"  ({values[f'{name}_low']:.4g} to {values[f'{name}_high']:.4g})"
        column = next((place for place, split in enumerate(splits) if place and f"_{split}" in name), 0)
        score = name.replace(f"_{splits[column]}", "", 1) if column else name
        rows.setdefault(score, [""] * len(splits))[column] = text
    table = Table("score", *(f"against {split}" if len(splits) > 1 else "value" for split in splits))
    for score, cells in rows.items():
        table.add_row(score, *cells)
    return table


def _splits(run: DictConfig) -> list[str]:
    """The split trained on, and the test split if the set has another."""
    trained = run.data.split
    return [trained] if "test" in trained or build_image_set(run, "test") is None else [trained, "test"]


def _shown(batches: Iterator[Tensor], metrics: DictConfig) -> Iterator[Tensor]:
    count = -(-metrics.samples // metrics.batch_size)
    return iter(track(batches, "scoring", total=count, transient=True, disable=not sys.stdout.isatty()))
