"""The scatter of precision and recall: which runs and which evaluations it shows."""

from helpers.runs import make_run, save_evaluated

from ganexp.report.collect import collect
from ganexp.report.precision_recall import precision_recall
from ganexp.report.report import Report


def test_scatter_prefers_evaluated_scores(tmp_path, hinge):
    of_training = {"precision_classifier": 0.5, "recall_classifier": 0.4, "precision_other": 1.0}
    for seed in range(2):
        run = make_run(tmp_path / str(seed), hinge, seed, extra_scores=of_training)
        assert [scatter["title"] for scatter in precision_recall(Report.from_runs(collect([tmp_path])))] == [
            "classifier, evaluated",
            "classifier, last",
        ][1 - seed :]
        save_evaluated(run, 5.0, scores={"precision_classifier": 0.7, "recall_classifier": 0.6})
    (scatter,) = precision_recall(Report.from_runs(collect([tmp_path])))
    assert scatter["title"] == "classifier, evaluated"
    assert scatter["points"] == [
        {"configuration": 0, "label": str(seed), "recall": 0.6, "precision": 0.7} for seed in range(2)
    ]


def test_runs_without_both_scores_have_no_scatter(tmp_path, hinge):
    make_run(tmp_path / "run", hinge, extra_scores={"precision_classifier": 0.5})
    assert precision_recall(Report.from_runs(collect([tmp_path]))) == []
