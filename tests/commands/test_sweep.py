"""Grids of runs, and what TensorBoard makes of them, asked over its own HTTP API."""

import json
import re
import shutil
import signal
import time
import urllib.parse
import urllib.request
from types import SimpleNamespace

import pytest
from filelock import FileLock
from helpers.cli import ganexp, ganexp_process
from helpers.sweeps import FAST, QUICK, contents, table
from omegaconf import OmegaConf
from tensorboard.program import TensorBoard

from ganexp.callbacks.pruning import Pruning
from ganexp.cli import CONF
from ganexp.runs.run_directory import RunFolder


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
    settings = [group["hparams"] for group in groups()]
    assert {row["loss"] for row in settings} == {"hinge", "non_saturating", "wgan_gp"}
    assert {row["seed"] for row in settings} == {1, 2}
    assert all("schedule.batch_size" in row and "model.generator.width" not in row for row in settings)  # words alone
    metrics = {metric["name"]["tag"] for metric in groups()[0]["metricValues"]}
    assert {"final/best/fid_classifier", "final/last/is_classifier"} <= metrics


def until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.5)


def test_a_failing_point_is_named_and_the_others_go_on(tmp_path):
    done = ganexp("-m", "schedule.batch_size=9999,16", "seed=1", *QUICK, "hydra.sweep.dir=swept", cwd=tmp_path,
                  check=False)  # fmt: skip
    assert done.returncode == 1
    assert "point failed: schedule.batch_size=9999 seed=1" in done.stderr
    assert "use schedule.batch_size=1438 or less" in done.stderr
    assert "1 of 2 points failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "failed: schedule.batch_size=9999\n  schedule.batch_size=9999 is more than" in done.stdout
    bad, good = table(tmp_path / "swept").values()
    assert (bad["status"], good["status"]) == ("failed", "finished")
    assert "1438 or less" in bad["error"]
    assert good["error"] is None
    assert folders(tmp_path / "swept") == ["01-schedule.batch_size-16"]


def test_a_wrong_word_stops_the_sweep_before_it_starts(tmp_path):
    done = ganexp("-m", "loss=hinge,hing", "seed=1,2", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "Did you mean loss=hinge?" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_killed_sweep_goes_on_and_leaves_finished_points_untouched(tmp_path):
    swept = tmp_path / "swept"
    process = ganexp_process("-m", "seed=range(12)", *QUICK, "hydra.sweep.dir=swept", cwd=tmp_path)
    until(lambda: sum(facts["status"] == "finished" for facts in table(swept).values()) >= 5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = [point for point, facts in table(swept).items() if facts["status"] == "finished"]
    assert 5 <= len(finished) < 12
    before = contents(swept, finished)
    done = ganexp("sweep.resume=swept", cwd=tmp_path)
    assert {facts["status"] for facts in table(swept).values()} == {"finished"}
    assert folders(swept) == [f"{seed:02}-seed-{seed}" for seed in range(12)] == list(table(swept))
    assert contents(swept, finished) == before
    assert done.stdout.count("run folder:") == 12 - len(finished)
    again = ganexp("-m", "sweep.resume=swept", cwd=tmp_path)  # the flag may be there
    assert "run folder:" not in again.stdout


def test_broken_points_are_resumed_or_started_anew(tmp_path):
    swept = tmp_path / "swept"
    ganexp("-m", "seed=0,1,2,3", *QUICK, "hydra.sweep.dir=swept", cwd=tmp_path)
    zero, one, two, three = (swept / point for point in folders(swept))
    facts = json.loads((zero / "run.json").read_text())
    (zero / "run.json").write_text(json.dumps(facts | {"status": "running"}))  # killed while training
    (one / "run.json").write_text("")  # killed as it began
    (one / "config.yaml").unlink()
    shutil.rmtree(two)  # never begun
    before = contents(swept, [three.name])
    ganexp("resume", "swept", cwd=tmp_path)
    assert {facts["status"] for facts in table(swept).values()} == {"finished"}
    assert len(json.loads((zero / "run.json").read_text())["resumed"]) == 1
    assert (one / "config.yaml").exists()
    assert (two / "checkpoints" / "last.ckpt").exists()
    assert contents(swept, [three.name]) == before
    assert folders(swept) == [zero.name, one.name, two.name, three.name]


@pytest.mark.parametrize(
    ("stored", "given", "message"),
    [
        ([], ["seed=3"], "seed=3: a sweep goes on with its own points"),
        (["hydra.launcher.setup=[evil]"], [], "not a word that a sweep stores"),
        (["loss.adversarial._target_=os.system"], [], "is not part of ganexp"),
        (["hydra.sweeper.custom_search_space=os.system"], [], "is not part of ganexp"),
        (["--config-dir=/evil"], [], "not a word that a sweep stores"),
    ],
)
def test_what_a_resumed_sweep_refuses(tmp_path, stored, given, message):
    (tmp_path / "sweep.json").write_text(json.dumps({"words": stored, "points": {}}))
    done = ganexp("sweep.resume=.", *given, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert message in done.stderr


def test_a_sweeps_folder_is_its_own(tmp_path):
    words = (*QUICK, "hydra.sweep.dir=swept")
    ganexp("-m", "seed=0,1", *words, cwd=tmp_path)
    done = ganexp("-m", "seed=0,2", *words, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "holds another sweep: seed=0,1" in done.stderr
    with FileLock(tmp_path / "swept" / ".lock"):
        done = ganexp("sweep.resume=swept", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "is being swept by another process" in done.stderr


def test_a_hopeless_point_is_pruned(tmp_path):
    swept = tmp_path / "swept"
    words = ("optimizer.generator.lr=0.005,0.004,0.003,0.0", *FAST, "sweep.prune=true", "hydra.sweep.dir=swept")
    done = ganexp("-m", *words, cwd=tmp_path)
    assert [facts["status"] for facts in table(swept).values()] == ["finished"] * 3 + ["pruned"]
    assert "pruned at step 2: fid_classifier" in done.stdout
    hopeless = folders(swept)[-1]
    assert json.loads((swept / hopeless / "run.json").read_text())["status"] == "pruned"
    rows = [json.loads(line) for line in (swept / hopeless / "metrics.jsonl").read_text().splitlines()]
    assert max(row["step"] for row in rows) == 2
    before = contents(swept, [hopeless])
    assert "was pruned" in ganexp("resume", str(swept / hopeless), cwd=tmp_path).stdout
    ganexp("sweep.resume=swept", cwd=tmp_path)
    assert contents(swept, [hopeless]) == before
    ganexp("resume", str(swept / hopeless), "schedule.steps=4", cwd=tmp_path)  # wanted all the same
    facts = json.loads((swept / hopeless / "run.json").read_text())
    assert (facts["status"], facts["scores"]["last"]["step"]) == ("finished", 4)


@pytest.mark.parametrize(
    ("others", "ours", "mode", "stopped"),
    [
        ([1, 2, 3], 4, "min", True),
        ([1, 2, 3], 2, "min", False),  # the median itself
        ([1, 2], 4, "min", False),  # too few to tell
        ([3, 4, 5], 3, "max", True),
        ([3, 4, 5], 5, "max", False),
        ([1, 2, None], 4, "min", False),  # one has not come so far
    ],
)
def test_the_median_rule(tmp_path, others, ours, mode, stopped):
    for number, score in enumerate([*others, ours]):
        folder = RunFolder(tmp_path / str(number))
        folder.path.mkdir()
        folder.describe(status="finished" if number < len(others) else "running")
        step = 20 if score is None else 10
        folder.metrics.write_text(json.dumps({"step": step, "score/fid_x": score or 1}) + "\n")
    pruning = Pruning(folder, "fid_x", mode)
    trainer = SimpleNamespace(should_stop=False)
    pruning.on_train_epoch_end(trainer, SimpleNamespace(step=10, steps=100))
    assert trainer.should_stop == pruning.stopped == stopped


@pytest.mark.parametrize(
    ("preset", "key", "values"),
    [
        ("losses", "loss", {file.stem for file in (CONF / "loss").glob("*.yaml")}),
        ("seeds", "seed", {"range(5)"}),
        ("sagan_cifar10", "experiment", {f"sagan/cifar10_{case}" for case in range(8)}),
        ("lr_scaling", "experiment", {f"sagan/lr_scaling_{case}" for case in range(4)}),
    ],
)
def test_presets_name_every_case(preset, key, values):
    hydra = OmegaConf.load(CONF / "sweep" / f"{preset}.yaml").hydra
    assert set(hydra.sweeper.params[key].replace(" ", "").split(",")) == values
    assert hydra.mode == "MULTIRUN"
    assert {file.stem for file in (CONF / "sweep").glob("*.yaml")} == {"losses", "seeds", "sagan_cifar10", "lr_scaling"}


def test_every_loss_suits_the_default_set_and_a_preset_is_a_sweep_without_the_flag(tmp_path):
    told = json.loads(ganexp("describe", "sweep=losses", cwd=tmp_path).stdout)
    assert len(told["points"]) == 8
    assert not any("error" in point for point in told["points"])
    assert not list(tmp_path.iterdir())


def test_a_preset_combines_with_words(tmp_path):
    told = json.loads(ganexp("describe", "-m", "sweep=losses", "seed=1,2", "loss=hinge,wgan", cwd=tmp_path).stdout)
    assert [point["loss"]["name"] for point in told["points"]] == ["Hinge", "Hinge", "Wasserstein", "Wasserstein"]
    assert [point["seed"] for point in told["points"]] == [1, 2, 1, 2]


def folders(swept):
    return sorted(file.parent.name for file in swept.glob("*/run.json"))
