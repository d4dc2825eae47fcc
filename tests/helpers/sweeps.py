"""Settings of short sweeps, and what they leave behind."""

import json

FAST = ("schedule.steps=4", "schedule.evaluate_every=2", "schedule.batch_size=16", "trainer.log_every=1",
        "metrics.samples=60", "metrics.extractor.updates=10")  # fmt: skip
QUICK = ("schedule.steps=1", "schedule.evaluate_every=1", "metrics=none")


def contents(swept, points):
    """Times and bytes of every file in the folders of `points`."""
    files = [file for point in points for file in (swept / point).rglob("*") if file.is_file()]
    return {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


def table(swept):
    """The points of sweep.json; none before it is there."""
    file = swept / "sweep.json"
    return json.loads(file.read_text())["points"] if file.exists() else {}
