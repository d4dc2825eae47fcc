"""Run folders made without training, of the form that training leaves."""

import json
import math
import random

import numpy as np
from omegaconf import OmegaConf
from PIL import Image

from helpers.config import config

FINISHED = {"status": "finished", "ganexp": "0.1.0", "python": "3.11", "versions": {"torch": "2.15.0"},
            "device": "CPU, 1 threads", "git_commit": "7917fe4", "git_dirty": False, "command": ["loss=hinge"],
            "started": "2026-01-01T00:00:00+00:00"}  # fmt: skip


def template(*overrides):
    """The text of a composed config."""
    return OmegaConf.to_yaml(
        config("schedule.steps=1000", "schedule.evaluate_every=100", "schedule.batch_size=64", *overrides)
    )


def make_run(path, text, seed=0, fid=20.0, rows=40, pictures=False, **facts):
    """A run in `path` whose config is `text`, with `seed`, ending at this FID; `facts` go into run.json."""
    path.mkdir(parents=True)
    lines = [f"seed: {seed}" if line.startswith("seed:") else line for line in text.splitlines()]
    (path / "config.yaml").write_text("\n".join(lines) + "\n")
    scores = {"step": 1000, "is_classifier": 60 / fid, "is_classifier_std": 0.1, "fid_classifier": fid}
    found = {"best": scores, "last": scores | {"fid_classifier": fid + 1}, "untrained": scores | {"step": 0}}
    kinds = {"groups": {"loss": "hinge"}, "name": path.name, "scores": found}
    (path / "run.json").write_text(json.dumps(FINISHED | kinds | facts))
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in _rows(seed, fid, rows)))
    if pictures:
        (path / "samples").mkdir()
        noise = np.random.default_rng(seed).integers(0, 255, (6, 8, 8, 3), dtype=np.uint8).repeat(40, 1).repeat(40, 2)
        for place, name in enumerate(["step-0000000", "step-0000500", "step-0001000", "interpolation-linear"]):
            Image.fromarray(noise[place]).save(path / "samples" / f"{name}.png")
    return path


def _rows(seed, fid, rows):
    noise = random.Random(seed)
    for place in range(rows + 1):
        step = round(1000 * place / rows)
        axes = {"axis/d_steps": 5 * step, "axis/images": 320 * step, "axis/seconds": 0.021 * step}
        level = math.exp(-3 * place / rows)
        yield {"step": step, "loss/discriminator": level + noise.random(), "loss/generator": -level + noise.random(),
               "loss/discriminator/real": noise.random(), "loss/discriminator/fake": noise.random()} | axes  # fmt: skip
        if place % (rows // 10) == 0:
            yield {"step": step, "score/is_classifier": 1 + 5 * (1 - level) + noise.random(),
                   "score/fid_classifier": fid + 100 * level + noise.random()} | axes  # fmt: skip
