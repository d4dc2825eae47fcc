"""What `ganexp describe` prints about the metrics and the averaged generator."""

import json

from helpers.cli import ganexp


def test_describe_names_the_chosen_metrics_and_the_average(tmp_path):
    described = [json.loads(ganexp("describe", *chosen, cwd=tmp_path).stdout) for chosen in ((), ("metrics=none",))]
    assert [(each["metrics"], each["samples"]) for each in described] == [("classifier", 10_000), ("none", None)]
    assert described[0]["scores"][:2] == ["is", "fid"]
    assert described[0]["ema"] is None
    average = ("schedule.ema.decay=0.9", "schedule.ema.start=5")
    assert json.loads(ganexp("describe", *average, cwd=tmp_path).stdout)["ema"] == {"decay": 0.9, "start": 5}
