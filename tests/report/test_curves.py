"""Learning curves: each kind of value has its own curve, and long curves keep only some of their points."""

import json

from helpers.runs import make_run

from ganexp.report.curves import MAX_POINTS, read_curves


def by_kind(path):
    return {curve.kind: curve for curve in read_curves(path)[0]}


def test_each_kind_of_values_is_its_own_curve(tmp_path, hinge):
    curves = by_kind(make_run(tmp_path / "run", hinge) / "metrics.jsonl")
    assert list(curves) == ["score", "loss", "logit"]
    assert len(curves["loss"].axes["step"]) == 41
    assert curves["score"].axes["step"] == curves["logit"].axes["step"] == list(range(0, 1001, 100))
    assert set(curves["score"].values) == {"score/is_classifier", "score/is_classifier_std", "score/fid_classifier"}
    assert set(curves["logit"].values) == {"d_logit/train", "d_logit/fake"}
    assert "loss/discriminator/real" in curves["loss"].values
    assert all(None not in values for curve in curves.values() for values in curve.values.values())


def test_long_curves_keep_their_ends(tmp_path, hinge):
    curves = by_kind(make_run(tmp_path / "run", hinge, points=2000) / "metrics.jsonl")
    losses = curves["loss"]
    assert len(losses.axes["step"]) == MAX_POINTS
    assert (losses.axes["step"][0], losses.axes["step"][-1]) == (0, 1000)
    assert (losses.axes["images"][-1], losses.axes["d_steps"][-1]) == (320_000, 5000)
    assert len(curves["score"].values["score/fid_classifier"]) == 11


def test_values_that_are_not_numbers_are_gaps(tmp_path):
    points = [
        '{"step": 0, "loss/generator": NaN}',
        '{"step": 1, "loss/generator": "high", "loss/discriminator": 0.123456}',
        '{"step": 2, "loss/generator": true}',
        '{"step": "3", "loss/generator": 1.0}',
        '{"step": 4, "loss/gen',
    ]
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join(points))
    curves, warnings = read_curves(path)
    assert curves[0].axes["step"] == [0, 1, 2]
    assert curves[0].values == {"loss/generator": [None, None, None], "loss/discriminator": [None, 0.1235, None]}
    assert warnings == ["diverged: a loss or score is not finite"]
    json.dumps(curves[0].values, allow_nan=False)


def test_missing_metrics_are_a_warning(tmp_path):
    assert read_curves(tmp_path / "metrics.jsonl") == ([], ["metrics.jsonl is missing, so there are no curves"])
