"""`ganexp evaluate`: scores of a checkpoint, on latents that did not choose it."""

import json
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from ganexp.build import build_scores, load_run
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
    scores = build_scores(run, None, gan.device)
    batches = draw(gan, run.metrics.samples, run.metrics.batch_size, cfg.seed)
    values = scores(_shown(batches, run.metrics), drawn_labels(gan, run.metrics.samples))
    protocol = {
        "extractor": scores.extractor.name, **scores.extractor.facts, "samples": run.metrics.samples,
        "splits": run.metrics.splits, "reference": f"{run.data.source._target_.rsplit('.', 1)[1]}, {run.data.split}",
        "reference_images": int(scores.fid.real_features_num_samples), "seed": cfg.seed,
    }  # fmt: skip
    table = Table("score", "value")
    for name, value in values.items():
        table.add_row(name, f"{value:.5g}")
    Console().print(table)
    output = Path(cfg.output or folder.path)
    output.mkdir(parents=True, exist_ok=True)
    record = {"scores": values, "protocol": protocol, **facts, "time": now(), **environment()}
    (output / "scores.json").write_text(json.dumps(record, indent=2) + "\n")
    print(
        f"{protocol['samples']:,} samples against {protocol['reference_images']:,} images ({protocol['reference']}); "
        f"written to {output / 'scores.json'}"
    )


def _shown(batches: Iterator[Tensor], metrics: DictConfig) -> Iterator[Tensor]:
    count = -(-metrics.samples // metrics.batch_size)
    return iter(track(batches, "scoring", total=count, transient=True))
