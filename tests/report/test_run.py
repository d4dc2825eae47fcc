"""What the report reads from a run directory, even from the run directory of a stranger."""

import json
import os

import pytest
from helpers.runs import make_run

from ganexp.commands.report import report
from ganexp.errors import UserError
from ganexp.report.collect import collect
from ganexp.report.model_card import model_card
from ganexp.report.report import Report
from ganexp.report.run import read_run
from ganexp.runs.process import this_process

ALIAS_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghij", "bcdefghijk", strict=True)
)


def test_collect_finds_runs_at_any_depth(outputs):
    assert [run.label for run in collect([outputs])][:2] == ["hinge/seed-0", "hinge/seed-1"]
    assert [run.label for run in collect([outputs / "hinge", outputs / "hinge" / "seed-2"])] == [
        "seed-0",
        "seed-1",
        "seed-2",
    ]


def test_collect_names_what_is_missing(tmp_path):
    with pytest.raises(UserError, match="no such directory"):
        collect([tmp_path / "x"])
    with pytest.raises(UserError, match="no runs found"):
        collect([tmp_path])


def test_warnings_name_length_and_uncommitted_changes(tmp_path, hinge):
    longer = hinge.replace("steps: 1000", "steps: 2000")
    make_run(tmp_path / "a", longer, ganexp_dirty=True)
    second = make_run(tmp_path / "b", longer, 1)
    with (second / "metrics.jsonl").open("a") as file:
        file.write('{"step": 1500, "loss/generator": NaN}\n{"step": 16')
    runs = collect([tmp_path])
    content = Report.from_runs(runs)
    assert runs[0].warnings[0] == "shorter than planned: step 1000 of 2000"
    assert runs[0].warnings[1].startswith("uncommitted changes")
    assert "diverged: a loss or score is not finite" in runs[1].warnings
    assert content.configurations[0].warnings == ["runs of different length"]


@pytest.mark.parametrize(("recorded", "last"), [(2000, 2000), (1500, 1500), (500, 1000), (None, 1000), ("x", 1000)])
def test_last_step_need_not_be_logged(tmp_path, hinge, recorded, last):
    """If a resumed run did not end, its recorded step (here 500) is less than the last logged step."""
    longer = hinge.replace("steps: 1000", "steps: 2000")
    run = read_run(make_run(tmp_path / "run", longer, last_step=recorded), "run")
    assert run.last_step == last
    assert run.warnings == ([] if last == 2000 else [f"shorter than planned: step {last} of 2000"])
    assert f"trained for {last:,} steps" in " ".join(model_card(run, False).split())


def test_run_that_trained_to_a_worse_score_has_a_warning(outputs, hinge):
    scores = {"best": {"step": 900, "fid_classifier": 812.0}, "untrained": {"step": 0, "fid_classifier": 640.5}}
    make_run(outputs / "worse", hinge, 7, groups={"loss": "hinge"}, scores=scores, init_from={"checkpoint": "a.ckpt"})
    runs = collect([outputs])
    text = "best: fid_classifier 812 at step 900; the initial networks at step 0 scored better (640.5)"
    assert [run.label for run in runs if text in run.warnings] == ["worse"]
    warnings = [each.warnings for each in Report.from_runs(runs).configurations]
    assert warnings == [["in 1 of 4 runs, the networks at step 0 scored better than the best checkpoint"], []]


@pytest.mark.parametrize(
    ("status", "warning"),
    [
        ("failed", "failed: no reason recorded"),
        ("interrupted", "interrupted at step 1000 of 1000"),
        ("running", "not finished: still running, or killed, at step 1000 of 1000"),
    ],
)
def test_unfinished_runs_have_a_warning(tmp_path, hinge, status, warning):
    assert read_run(make_run(tmp_path / "run", hinge, status=status), "run").warnings == [warning]


def test_run_whose_process_is_gone_has_died(tmp_path, hinge):
    gone = this_process() | {"started": 17}
    run = read_run(make_run(tmp_path / "run", hinge, status="running", process=gone), "run")
    assert run.status == "died"
    reason = "died at step 1000 of 1000: its process is gone"
    assert run.warnings == [f"{reason}. Continue with: ganexp resume {tmp_path / 'run'}"]


@pytest.mark.parametrize(
    "text",
    [
        ALIAS_BOMB,
        "a: " + "[" * 5000,
        "x: !!python/object/apply:os.system ['touch pwned']\n",
        "a: [",
        "a: " + "x" * 1_000_001,
    ],
    ids=["aliases", "depth", "code", "broken", "length"],
)
def test_hostile_config_is_unreadable(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    run = read_run(make_run(tmp_path / "run", text), "run")
    assert run.status == "unreadable"
    assert run.warnings[0].startswith("not readable: ")
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize(
    "content",
    [
        {"protocol": "x", "scores": [1], "groups": 3, "versions": [1], "command": {"a": 1}, "started": [1]},
        {"scores": {"best": "x", "last": {"fid_x": "y", "z": None}}, "protocol": {"id": {"a": {}}}, "name": {"a": 1}},
        {"scores": {"last": {"fid_x": 1e200, "kid_x": True}}, "seed": [1], "status": 3, "error": {"x": []}},
        [1, 2],
        "text",
    ],
)
def test_hostile_metadata_does_not_stop_the_report(outputs, hinge, content):
    for name in ("a", "b"):
        run = make_run(outputs / name, hinge, 7 if name == "a" else 8)
        (run / "run.json").write_text(json.dumps(content))
    page = report([str(outputs)], images=False)
    assert page.stat().st_size > 1_000_000


def test_enormous_scores_do_not_stop_the_report(outputs, wgan_gp):
    for seed, fid in enumerate((1e200, 3e200, 1e59)):
        make_run(outputs / str(seed), wgan_gp.replace("batch_size: 64", "batch_size: 8"), 10 + seed, fid)
    assert report([str(outputs)], images=False).exists()
    assert [run.scores["best"].get("fid_classifier") for run in collect([outputs])][:3] == [None, None, 1e59]


def test_deeply_nested_metadata_does_not_stop_the_report(outputs, hinge):
    run = make_run(outputs / "deep", hinge, 7)
    for depth in (400, 900, 5000):
        nested = '{"a":' * depth + "1" + "}" * depth
        (run / "run.json").write_text(f'{{"status": "finished", "protocol": {nested}, "score_info": {nested}}}')
        assert report([str(outputs)], images=False).exists()


def test_hostile_files_are_only_data(tmp_path, hinge):
    odd = make_run(tmp_path / "odd", hinge, name="\x1b[31m=cmd|x", scores={"best": {"fid_x": "y"}, "last": {}})
    (odd / "metrics.jsonl").write_text('[1]\n{"step": "x", "loss/a": 1}\n"loss/" \n"loss/' + "[" * 9000 + "\n")
    for name in ("samples/step-0000001.png", "config.yaml", "metrics.jsonl"):
        linked = make_run(tmp_path / f"linked-{name[:2]}", hinge, pictures=True) / name
        linked.unlink(missing_ok=True)
        linked.symlink_to("/etc/passwd")
    os.mkfifo(make_run(tmp_path / "pipe", hinge) / "curves.png")
    (tmp_path / "huge").mkdir()
    (tmp_path / "huge" / "config.yaml").write_text("{}")
    huge = '{"status": "finished", "scores": {"last": {"fid_x": 1' + "0" * 400 + "}}}"
    (tmp_path / "huge" / "run.json").write_text(huge)
    runs = {run.label: run for run in collect([tmp_path])}
    assert runs["odd"].status == "finished"
    assert "\x1b" not in runs["odd"].name
    assert runs["huge"].scores["last"] == {}
    unread = [label for label, run in runs.items() if run.status == "unreadable"]
    assert sorted(unread) == ["linked-co", "linked-me", "linked-sa", "pipe"]
    page = report([str(tmp_path)])
    assert "root:" not in page.read_text()
    lines = (page.parent / "table.csv").read_text().splitlines()
    assert not any(line.startswith(("=", "\x1b")) for line in lines)
