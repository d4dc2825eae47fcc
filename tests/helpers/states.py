"""Read checkpoints and logged points of runs, and wait until a run reaches a step."""

import json
import time

import torch

# A small run with everything whose state a checkpoint must hold: flips, batch norm, dropout, labels, averaged weights,
# scores.
WITH_STATE = (
    "schedule.evaluate_every=20",
    "schedule.batch_size=32",
    "loss.n_critic=2",  # as good for the tests as the default of 5, and faster
    "trainer.log_every=10",
    "data.flip=true",
    "model.generator.norm=batch",
    "model.discriminator.dropout=0.3",
    "model.conditional=true",
    "schedule.ema.decay=0.9",
    "metrics.samples=100",
    "metrics.extractor.updates=20",
)


def last_checkpoint(run):
    """Return the last checkpoint of a run directory."""
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def same_state(first, second):
    """Return whether two nested states are bitwise equal."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same_state(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(same_state(a, b) for a, b in zip(first, second, strict=True))
    return first == second


def logged_points(run):
    """Return the points of metrics.jsonl without their times."""
    points = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in point.items() if key != "axis/seconds"} for point in points]


def wait_for_step(run, step, process):
    """Wait until a run has logged `step` or a later step; if the process ends earlier, fail with its output."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        file = run / "metrics.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        if any(line.startswith('{"step": ') and int(line[9:].split(",")[0]) >= step for line in lines):
            return
        time.sleep(0.01)
    process.kill()
    raise AssertionError(f"the run did not reach step {step}: {process.communicate(timeout=20)[0]}")
