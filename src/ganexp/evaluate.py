"""`ganexp evaluate`: scores of a checkpoint, on latents that did not choose it."""

import json
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from ganexp.build import build_image_set, build_scores, load_run
from ganexp.callbacks.evaluation import draw, drawn_labels
from ganexp.errors import UserError
from ganexp.runfolder import environment, now


def evaluate(cfg: DictConfig) -> None:
    """Prints the scores and writes them, with what they were measured on, to scores.json."""
    run, gan, folder, facts = load_run(cfg.ckpt, cfg.accelerator)
    if run.metrics.extractor is None:
        raise UserError(
            f"{folder.path} was trained with metrics=none: it has no extractor to score with.\n"
            "Train with metrics=classifier (labelled sets) or metrics=inception to have scores."
        )
    if cfg.data_root:
        run.data.root = cfg.data_root
    if cfg.weights:
        run.metrics.extractor.weights = cfg.weights
    if cfg.samples:
        run.metrics.samples = cfg.samples
    if run.metrics.samples < 2 * run.metrics.splits:
        raise UserError(f"samples={cfg.samples}: at least {2 * run.metrics.splits}, two a split of the Inception Score")
    run.metrics.scores, run.metrics.fid_at = cfg.scores, cfg.fid_at
    run.metrics.references = cfg.references or _splits(run)
    scores = build_scores(run, None, gan.device)
    batches = draw(gan, run.metrics.samples, run.metrics.batch_size, cfg.seed)
    values = scores(_shown(batches, run.metrics), drawn_labels(gan, run.metrics.samples))
    protocol = {
        "extractor": scores.extractor.name, **scores.extractor.facts, "samples": run.metrics.samples,
        "splits": run.metrics.splits, "data": run.data.source._target_.rsplit(".", 1)[1], "seed": cfg.seed,
        "references": {split: {"images": real.count, "sha256": real.fingerprint}
                       for split, real in scores.references.items()},
    }  # fmt: skip
    table = Table("score", "value")
    for name, value in values.items():
        table.add_row(name, f"{value:.5g}")
    Console().print(table)
    output = Path(cfg.output or folder.path)
    output.mkdir(parents=True, exist_ok=True)
    record = {"scores": values, "protocol": protocol, **facts, "time": now(), **environment()}
    (output / "scores.json").write_text(json.dumps(record, indent=2) + "\n")
    against = " and ".join(f"{real.count:,} images ({split})" for split, real in scores.references.items())
    print(
        f"{protocol['samples']:,} samples against {against} of {protocol['data']}; written to {output / 'scores.json'}"
    )


def _splits(run: DictConfig) -> list[str]:
    """The split trained on, and the test split if the set has another."""
    trained = run.data.split
    return [trained] if "test" in trained or build_image_set(run, "test") is None else [trained, "test"]


def _shown(batches: Iterator[Tensor], metrics: DictConfig) -> Iterator[Tensor]:
    count = -(-metrics.samples // metrics.batch_size)
    return iter(track(batches, "scoring", total=count, transient=True))
