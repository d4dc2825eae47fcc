"""The settings and final scores that loggers receive from a run."""

import json

import pytest
from helpers.config import TINY, config

from ganexp.commands import result
from ganexp.commands.result import hyperparameters, record_result, record_settings
from ganexp.runs.run_directory import RunDirectory

GROUPS = {
    "loss": "hinge",
    "experiment": None,
    "metrics/score": ["is", "fid"],
    "callbacks": ["default"],
    "logger": ["csv"],
}


@pytest.fixture(scope="module")
def settings():
    return hyperparameters(config(*TINY, "loss=hinge", "seed=3"), {"groups": GROUPS})


def test_settings_are_numbers_booleans_and_texts(settings):
    assert {type(value) for value in settings.values()} == {int, float, bool, str}
    assert json.loads(json.dumps(settings)) == settings


def test_settings_have_the_options_and_the_values(settings):
    assert settings["loss"] == "hinge"
    assert settings["metrics/score"] == "is,fid"
    assert settings["loss.adversarial"] == "Hinge"
    assert settings["optimizer.generator.lr"] == 0.001  # although no override sets this value
    assert settings["schedule.batch_size"] == 8
    assert settings["seed"] == 3


def test_settings_leave_out_what_belongs_to_the_machine(settings):
    assert (
        not {"experiment", "name", "data.root", "metrics.cache", "data.path", "callbacks", "logger"} & settings.keys()
    )
    assert not [key for key in settings if key.startswith(("callbacks.", "logger."))]


def test_runs_of_one_sweep_have_the_same_settings(settings):
    other = hyperparameters(config(*TINY, "loss=hinge", "optimizer.generator.lr=0.1"), {"groups": GROUPS})
    assert other.keys() == settings.keys()
    assert {key for key in other if other[key] != settings[key]} == {"seed", "optimizer.generator.lr"}


def test_tags_are_one_text():
    assert hyperparameters(config(*TINY, "tags=[a,b]"), {})["tags"] == "a,b"
    assert hyperparameters(config(*TINY), {})["tags"] == ""


class Recorder:
    def __init__(self):
        self.calls = []

    def log_hyperparams(self, settings):
        self.calls.append(("settings", settings))

    def log_result(self, settings, scores, step):
        self.calls.append(("result", settings, scores, step))


def test_settings_are_logged_at_the_start_and_with_the_result(tmp_path, settings):
    run, logger = RunDirectory(tmp_path), Recorder()
    run.update_metadata(groups=GROUPS, score_info={"fid_x": {}, "fid_x_std": {"spread_of": "fid_x"}})
    points = [{"step": 2, "score/fid_x": 1.0, "score/fid_x_std": 0.5}, {"step": 4, "score/fid_x": 3.0}]
    run.metrics.write_text("".join(json.dumps(point) + "\n" for point in points))
    cfg = config(*TINY, "loss=hinge", "seed=3")
    record_settings(cfg, run, [logger])
    record_result(cfg, run, [logger], "fid_x", "min", "finished", 5)
    scores = {"best/fid_x": 1.0, "last/fid_x": 3.0}
    assert logger.calls == [("settings", settings), ("result", settings, scores, 5)]


@pytest.mark.parametrize(
    ("mode", "values", "remark"),
    [
        ("min", (1.0, 3.0, 2.0), "best: x 2 at step 4; the untrained networks at step 0 scored better (1)"),
        ("max", (5.0, 3.0, 2.0), "best: x 3 at step 2; the untrained networks at step 0 scored better (5)"),
        ("min", (2.0, 3.0, 2.0), None),
        ("max", (1.0, 3.0, 2.0), None),
    ],
)
def test_best_score_is_compared_with_step_0(tmp_path, capsys, mode, values, remark):
    run = RunDirectory(tmp_path)
    points = [{"step": 2 * place, "score/x": value} for place, value in enumerate(values)]
    run.metrics.write_text("".join(json.dumps(point) + "\n" for point in points))
    record_result(config(*TINY), run, [], "x", mode, "finished", 4)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("best:")] == ([remark] if remark else [])


@pytest.mark.parametrize("values", [[1.0, None, None], [None], [None, None, 2.0], [None, 3.0, None]])
def test_evaluations_without_a_score_are_no_result(tmp_path, values):
    """A score that cannot be computed is NaN. If it is NaN at all steps after step 0, there is no best evaluation."""
    run, logger = RunDirectory(tmp_path), Recorder()
    known = [float("nan") if value is None else value for value in values]
    points = [{"step": 2 * place, "score/x": value} for place, value in enumerate(known)]
    run.metrics.write_text("".join(json.dumps(point) + "\n" for point in points))
    objective = record_result(config(*TINY), run, [logger], "x", "min", "finished", 4)
    assert objective == next((value for value in values[1:] if value), None)
    recorded = run.metadata()["scores"].keys()
    assert recorded == {
        *(["untrained", "last"] if len(values) > 1 else []),
        *(["best"] if objective else []),
    }
    sent = {name.partition("/")[0] for name in logger.calls[-1][2]}
    assert sent == recorded - {"untrained"}


@pytest.mark.parametrize(("monitor", "mode", "objective"), [("kid_x", "min", 0.2), ("is_x", "max", -4.0)])
def test_objective_is_the_monitored_score(tmp_path, monitor, mode, objective):
    run = RunDirectory(tmp_path)
    points = [(2, 9.0, 0.2, 3.0), (4, 7.0, 0.5, 4.0)]
    lines = [{"step": step, "score/fid_x": a, "score/kid_x": b, "score/is_x": c} for step, a, b, c in points]
    run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert record_result(config(*TINY), run, [], monitor, mode, "finished", 4) == objective
    metadata = run.metadata()
    assert (metadata["best_by"], metadata["objective"]) == (monitor, objective)


def test_result_without_scores_has_the_last_losses(tmp_path):
    run, logger = RunDirectory(tmp_path), Recorder()
    run.metrics.write_text('{"step": 4, "loss/generator": 0.5, "axis/images": 9}\n')
    assert record_result(config(*TINY), run, [logger], None, "min", "finished", 5) is None
    assert logger.calls[0][2:] == ({"loss/generator": 0.5}, 5)  # 5 is the last step, at which nothing was logged
    assert (run.metadata()["status"], run.metadata()["last_step"]) == ("finished", 5)


@pytest.mark.parametrize(("initial", "name"), [(None, "untrained"), ({"checkpoint": "a.ckpt"}, "initial")])
def test_scores_at_step_0_are_named_by_the_weights(tmp_path, capsys, initial, name):
    run = RunDirectory(tmp_path)
    run.update_metadata(init_from=initial)
    result._print_result(
        config(*TINY), run, {"untrained": {"step": 0, "fid": 9.0}, "last": {"step": 4, "fid": 3.0}}, set(), ""
    )
    printed = capsys.readouterr().out
    assert [word for word in ("untrained", "initial") if word in printed] == [name]
