"""What TensorBoard shows of a sweep. The tests request this data over TensorBoard's HTTP interface."""

import json
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.cli import ganexp
from helpers.sweeps import FAST, wait_until
from tensorboard.program import TensorBoard

pytestmark = pytest.mark.slow

SCALARS = {"3 loss/generator", "z axis/images", "z axis/seconds", "z axis/d_steps", "1 score/fid_classifier"}
ALL_STATUSES = [f"STATUS_{name}" for name in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")]
HPARAMS_QUERY = {
    "startIndex": 0,
    "sliceSize": 100,
    "colParams": [],
    "allowedStatuses": ALL_STATUSES,
    "experimentName": "",
}

Ask = Callable[..., Any]


def launch(logdir: Path) -> Ask:
    """Let TensorBoard read `logdir` once; return a function that requests a path from TensorBoard's HTTP interface."""
    board = TensorBoard()
    options = {"logdir": str(logdir), "port": "0", "host": "127.0.0.1", "load_fast": "false", "reload_interval": "0"}
    board.configure(argv=["tensorboard", *(part for key, value in options.items() for part in (f"--{key}", value))])
    address = board.launch()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = urllib.parse.urljoin(address, path)
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)

    return ask


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Train four runs, and wait until TensorBoard has read them in the background."""
    cwd = tmp_path_factory.mktemp("sweep")
    grids = ("callbacks=sample_grids", f"metrics.cache={cwd / 'cache'}")
    arguments = ("loss=hinge,wgan_gp", "seed=1,2", *FAST, *grids)
    ganexp("-m", *arguments, cwd=cwd)
    ask = launch(cwd / "outputs")
    wait_until(lambda: len(scored_runs(ask)) == 4 and len(hyperparameters(ask)) == 4)
    return ask


def scored_runs(ask: Ask) -> list[str]:
    tags_by_run = ask("data/plugin/scalars/tags")
    return [run for run, tags in tags_by_run.items() if set(tags) >= SCALARS and "loss-" in run]


def hyperparameters(ask: Ask) -> list[dict[str, Any]]:
    groups = ask("data/plugin/hparams/session_groups", HPARAMS_QUERY).get("sessionGroups", [])
    return [group for group in groups if len(group.get("metricValues", ())) >= 4]


def test_every_run_has_sample_grids(ask):
    pictures = ask("data/plugin/images/tags")
    assert all("2 pictures/1 samples" in pictures[run] for run in scored_runs(ask))


def test_custom_charts_show_losses_and_scores(ask):
    layout = ask("data/plugin/custom_scalars/layout")
    charts = {chart["title"]: chart["multiline"]["tag"] for part in layout["category"] for chart in part["chart"]}
    counts = {}
    for title, patterns in charts.items():
        tags = set()
        for pattern in patterns:
            query = urllib.parse.urlencode({"tag": pattern, "run": scored_runs(ask)[0]})
            tags |= set(ask(f"data/plugin/custom_scalars/scalars?{query}")["tag_to_events"])
        counts[title] = len(tags)
    assert counts == {"generator": 1, "discriminator": 1, "is_classifier": 1, "fid_classifier": 1}


def test_hyperparameters_are_the_choices_and_settings(ask):
    groups = hyperparameters(ask)
    settings = [group["hparams"] for group in groups]
    assert {row["loss"] for row in settings} == {"hinge", "wgan_gp"}
    assert {row["1 seed"] for row in settings} == {1, 2}
    assert all("1 schedule.batch_size" in row for row in settings)
    assert all("1 optimizer.generator.lr" in row for row in settings)  # although no job overrides this setting
    metrics = {metric["name"]["tag"] for metric in groups[0]["metricValues"]}
    assert {"2 final/best/fid_classifier", "2 final/last/is_classifier"} <= metrics
