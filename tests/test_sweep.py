"""Grids of runs, and what TensorBoard makes of them, asked over its own HTTP API."""

import json
import re
import time
import urllib.parse
import urllib.request

import pytest
from conftest import ganexp
from tensorboard.program import TensorBoard

FAST = ("schedule.steps=4", "schedule.evaluate_every=2", "schedule.batch_size=16", "trainer.log_every=1",
        "metrics.samples=60", "metrics.extractor.updates=10")  # fmt: skip


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("sweep")
    words = (
        "loss=hinge,non_saturating,wgan_gp",
        "seed=1,2",
        "schedule=quick",
        *FAST,
        f"metrics.cache={cwd / 'cache'}",
    )
    ganexp("-m", *words, cwd=cwd)
    return cwd / "outputs"


def test_six_run_folders(sweep):
    runs = sorted(p.parent for p in sweep.rglob("run.json"))
    assert len(runs) == 6
    assert len({run.name for run in runs}) == 6
    facts = [json.loads((run / "run.json").read_text()) for run in runs]
    assert all(fact["status"] == "finished" for fact in facts)
    assert {fact["groups"]["loss"] for fact in facts} == {"hinge", "non_saturating", "wgan_gp"}
    assert all(re.fullmatch(r"[\w./+-]+", str(run.relative_to(sweep))) for run in runs)  # can be given back as ckpt=…


def test_tensorboard_shows_six_runs_and_their_hyperparameters(sweep):
    board = TensorBoard()
    board.configure(
        argv=[
            "tensorboard",
            "--logdir",
            str(sweep),
            "--port",
            "0",
            "--host",
            "127.0.0.1",
            "--load_fast",
            "false",
        ]
    )
    address = board.launch()

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            urllib.parse.urljoin(address, path), data, {"Content-Type": "application/json"}
        )
        with direct.open(request, timeout=60) as answer:
            return json.load(answer)

    wanted = {"loss/generator", "axis/images", "axis/seconds", "axis/d_steps", "score/fid_classifier"}
    statuses = [f"STATUS_{name}" for name in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")]
    body = {"startIndex": 0, "sliceSize": 100, "colParams": [], "allowedStatuses": statuses, "experimentName": ""}

    def runs():
        return [run for run, tags in ask("data/plugin/scalars/tags").items() if wanted <= set(tags) and "loss-" in run]

    def groups():
        found = ask("data/plugin/hparams/session_groups", body).get("sessionGroups", [])
        return [group for group in found if len(group.get("metricValues", ())) >= 4]

    until(lambda: len(runs()) == 6 and len(groups()) == 6)  # TensorBoard reads in the background
    assert all("samples" in ask("data/plugin/images/tags")[run] for run in runs())
    layout = ask("data/plugin/custom_scalars/layout")
    charts = {chart["title"]: chart["multiline"]["tag"] for part in layout["category"] for chart in part["chart"]}
    assert set(charts) == {"loss", "IS", "FID"}
    for title, drawn in (("loss", 2), ("IS", 1), ("FID", 1)):
        found = set()
        for tag in charts[title]:
            query = urllib.parse.urlencode({"tag": tag, "run": runs()[0]})
            found |= set(ask(f"data/plugin/custom_scalars/scalars?{query}")["tag_to_events"])
        assert len(found) == drawn
    losses = {group["hparams"]["loss.adversarial._target_"] for group in groups()}
    assert losses == {f"ganexp.losses.{name}" for name in ("Hinge", "NonSaturating", "Wasserstein")}
    metrics = {metric["name"]["tag"] for metric in groups()[0]["metricValues"]}
    assert {"final/best/fid_classifier", "final/last/is_classifier"} <= metrics


def until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.5)


def test_a_failing_point_is_named_and_the_others_go_on(tmp_path):
    done = ganexp("-m", "schedule.batch_size=16,9999", "seed=1", "metrics=none", "schedule.steps=2",
                  "schedule.evaluate_every=2", cwd=tmp_path, check=False)  # fmt: skip
    assert done.returncode == 1
    assert "point failed: schedule.batch_size=9999 seed=1" in done.stderr
    assert "use schedule.batch_size=1438 or less" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(list(tmp_path.rglob("run.json"))) == 1


def test_a_wrong_word_stops_the_sweep_before_it_starts(tmp_path):
    done = ganexp("-m", "loss=hinge,hing", "seed=1,2", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "Could not find 'loss/hing'" in done.stderr
    assert not list(tmp_path.rglob("run.json"))
