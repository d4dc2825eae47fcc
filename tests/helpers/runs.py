"""Create run directories without training, in the same format as real ones."""

import json
import math
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from PIL import Image

from ganexp import log_keys
from helpers.config import config

STEPS = 1000
SAMPLE_FILES = ("step-0000000", "step-0000500", "step-0001000", "interpolation-linear")

METADATA = {
    "status": "finished",
    "ganexp": "0.1.0",
    "python": "3.11",
    "versions": {"torch": "2.15.0"},
    "device": "CPU, 1 thread",
    "ganexp_commit": "7917fe4",
    "ganexp_dirty": False,
    "repository": {"commit": "5e211a9", "dirty": False},
    "command": ["loss=hinge"],
    "started": "2026-01-01T00:00:00+00:00",
    "groups": {"loss": "hinge"},
}

SCORE_INFO = {
    "fid_classifier": {"higher_is_better": False, "plot_scale": "log"},
    "is_classifier": {"higher_is_better": True, "plot_scale": "linear"},
    "is_classifier_std": {"spread_of": "is_classifier"},
}


def template(*overrides: str) -> str:
    """Return the text of a composed config for `make_run`."""
    schedule = (f"schedule.steps={STEPS}", "schedule.evaluate_every=100", "schedule.batch_size=64")
    return OmegaConf.to_yaml(config(*schedule, *overrides))


def make_run(
    path: Path,
    text: str,
    seed: Any = 0,
    fid: float = 20.0,
    points: int = 40,
    pictures: bool = False,
    extra_scores: dict[str, float] | None = None,
    **metadata: Any,
) -> Path:
    """Create a run directory, and return its path.

    Args:
        path: path of the directory.
        text: the config as YAML; `seed` replaces the seed in this text.
        seed: seed of the run.
        fid: FID at the best evaluation. At the last evaluation, FID is higher by 1. The Inception Score is 60 / fid.
        points: number of steps after step 0 at which losses are logged. At 10 of these steps, scores and mean logits
            are logged too.
        pictures: whether to create sample grids.
        extra_scores: further scores of each evaluation in run.json.
        metadata: further entries of run.json. They replace other entries with the same keys.
    """
    path.mkdir(parents=True)
    lines = [f"seed: {seed}" if line.startswith("seed:") else line for line in text.splitlines()]
    (path / "config.yaml").write_text("\n".join(lines) + "\n")
    best = {"step": STEPS, "is_classifier": 60 / fid, "is_classifier_std": 0.1, "fid_classifier": fid}
    best |= extra_scores or {}
    scores = {"best": best, "last": best | {"fid_classifier": fid + 1}, "untrained": best | {"step": 0}}
    content = METADATA | {"name": path.name, "scores": scores, "score_info": SCORE_INFO} | metadata
    (path / "run.json").write_text(json.dumps(content))
    (path / "metrics.jsonl").write_text(_lines(seed, fid, points))
    if pictures:
        _save_samples(path / "samples", seed)
    return path


def save_evaluated(run: Path, fid: float, file: str = "scores.json", **record: Any) -> None:
    """Write scores as `ganexp evaluate` does.

    Args:
        run: path of the run directory.
        fid: FID of the samples; the FID against the test split is higher by 2.
        file: name of the file.
        record: further entries of the file. They replace other entries with the same keys.
    """
    info = SCORE_INFO["fid_classifier"]
    content = {
        "scores": {"fid_classifier": fid, "fid_classifier_test": fid + 2},
        "score_info": {"fid_classifier": info, "fid_classifier_test": info},
        "protocol": {"extractor": "classifier", "samples": 5000, "id": "evaluated"},
        "checkpoint": str(run / "checkpoints" / "best.ckpt"),
        "step": STEPS,
        "time": "2026-01-02T00:00:00+00:00",
    }
    (run / file).write_text(json.dumps(content | record))


@cache
def _lines(seed: Any, fid: float, count: int) -> str:
    return "".join(json.dumps(point) + "\n" for point in _points(seed, fid, count))


def _points(seed: Any, fid: float, count: int) -> Iterator[dict[str, float]]:
    """Yield the points of metrics.jsonl; losses, scores and mean logits are in separate points."""
    noise = random.Random(seed)
    for index in range(count + 1):
        step = round(STEPS * index / count)
        level = math.exp(-3 * index / count)
        axes = {
            "step": step,
            log_keys.D_STEPS: 5 * step,
            log_keys.IMAGES: 320 * step,
            log_keys.SECONDS: 0.021 * step,
        }
        yield axes | {
            log_keys.loss_key("discriminator"): level + noise.random(),
            log_keys.loss_key("generator"): -level + noise.random(),
            log_keys.loss_key("discriminator", "real"): noise.random(),
            log_keys.loss_key("discriminator", "fake"): noise.random(),
        }
        if index % (count // 10) == 0:
            yield axes | {
                log_keys.score_key("is_classifier"): 1 + 5 * (1 - level) + noise.random(),
                log_keys.score_key("is_classifier_std"): 0.1,
                log_keys.score_key("fid_classifier"): fid + 100 * level + noise.random(),
            }
            yield axes | {log_keys.logit_key("train"): noise.random(), log_keys.logit_key("fake"): -noise.random()}


def _save_samples(directory: Path, seed: Any) -> None:
    directory.mkdir()
    generator = np.random.default_rng(list(str(seed).encode()))  # a seed may be any text
    noise = generator.integers(0, 255, (len(SAMPLE_FILES), 8, 8, 3), dtype=np.uint8)
    for pixels, name in zip(noise.repeat(40, 1).repeat(40, 2), SAMPLE_FILES, strict=True):
        Image.fromarray(pixels).save(directory / f"{name}.png")
