"""Runs record the direction of each score (whether higher is better); such records are checked before they are used."""

import pytest
from helpers.runs import SCORE_INFO, make_run

from ganexp.commands.report import report
from ganexp.report.collect import collect
from ganexp.report.report import Report
from ganexp.report.score_info import UNKNOWN, ScoreInfo, merge_score_info, read_score_info

LOWER = ScoreInfo(higher_is_better=False, log_scale=True)
HIGHER = ScoreInfo(higher_is_better=True)

HOSTILE = [
    "fid_classifier",
    ["fid_classifier"],
    7,
    {"fid_classifier": "lower"},
    {"fid_classifier": None},
    {"fid_classifier": {"higher_is_better": "no", "plot_scale": ["log"], "spread_of": {"a": 1}}},
    {"fid_classifier": {"higher_is_better": 0, "plot_scale": "<script>", "spread_of": 3}},
    {"fid_classifier": {"higher_is_better": {"a": [[]]}, "spread_of": "fid_classifier"}},
    {"fid_classifier": {"plot_scale": {"log": {"log": "log"}}}},
]


def test_read_score_info_returns_what_is_recorded():
    info = read_score_info(SCORE_INFO)
    assert list(info) == ["fid_classifier", "is_classifier", "is_classifier_std"]
    assert (info["fid_classifier"], info["is_classifier"]) == (LOWER, HIGHER)
    assert info["is_classifier_std"].spread_of == "is_classifier"
    assert [entry.direction for entry in info.values()] == ["lower", "higher", ""]


def test_null_direction_is_unknown():
    info = read_score_info({"distance_classifier": {"higher_is_better": None, "plot_scale": "linear"}})
    assert info == {"distance_classifier": UNKNOWN}
    assert UNKNOWN.direction == ""


@pytest.mark.parametrize("node", [None, *HOSTILE], ids=str)
def test_read_score_info_ignores_what_is_not_valid(node):
    assert set(read_score_info(node).values()) <= {UNKNOWN}


def test_merge_keeps_order_and_what_runs_agree_on():
    merged = merge_score_info([{"is": HIGHER}, {}, {"fid": LOWER, "is": HIGHER}])
    assert list(merged.items()) == [("is", HIGHER), ("fid", LOWER)]


def test_merge_forgets_what_runs_contradict():
    first, second = {"fid": LOWER}, {"fid": ScoreInfo(higher_is_better=True, log_scale=True)}
    assert merge_score_info([first, second, first]) == {"fid": UNKNOWN}


@pytest.mark.parametrize("node", HOSTILE, ids=str)
def test_report_with_hostile_score_info_has_no_direction(tmp_path, hinge, wgan_gp, node):
    for loss, text, fid in (("hinge", hinge, 20.0), ("wgan_gp", wgan_gp, 30.0)):
        for seed in range(3):
            make_run(tmp_path / loss / str(seed), text, seed, fid + 0.1 * seed, score_info=node, groups={"loss": loss})
    content = Report.from_runs(collect([tmp_path]))
    verdicts = {comparison.column.title: comparison.verdict for comparison in content.comparisons}
    assert verdicts["fid_classifier last"] == "first is lower"
    assert {column.info.direction for column in content.columns} == {""}
    page = report([str(tmp_path)], images=False).read_text()
    assert "is better</span>" not in page
    assert content.directions().startswith("The better direction is not recorded: fid_classifier")


def test_report_without_score_info_shows_scores_without_verdict(tmp_path, hinge, wgan_gp):
    for loss, text, fid in (("hinge", hinge, 20.0), ("wgan_gp", wgan_gp, 30.0)):
        for seed in range(3):
            make_run(tmp_path / loss / str(seed), text, seed, fid + 0.1 * seed, score_info=None, groups={"loss": loss})
    content = Report.from_runs(collect([tmp_path]))
    scores = ["fid_classifier", "is_classifier", "is_classifier_std"]
    assert [column.score for column in content.columns] == [*scores, *scores]  # the last evaluation, then the best
    assert content.rows[0].cells[content.columns[3]].mean == pytest.approx(20.1)
    assert not any("better" in comparison.verdict for comparison in content.comparisons)


@pytest.mark.parametrize(
    ("score", "info", "better"),
    [
        ("kid_classifier", {"higher_is_better": False, "plot_scale": "log"}, "first"),
        ("intra_fid_classifier", {"higher_is_better": False, "plot_scale": "log"}, "first"),
        ("recall_classifier", {"higher_is_better": True, "plot_scale": "linear"}, "second"),
    ],
)
def test_verdict_follows_the_direction_of_the_run(tmp_path, hinge, wgan_gp, score, info, better):
    for loss, text, value in (("hinge", hinge, 0.2), ("wgan_gp", wgan_gp, 0.6)):
        for seed in range(3):
            extra = {score: value + 0.01 * seed}
            score_info = SCORE_INFO | {score: info}
            path = tmp_path / loss / str(seed)
            make_run(path, text, seed, extra_scores=extra, score_info=score_info, groups={"loss": loss})
    verdicts = {each.column.title: each.verdict for each in Report.from_runs(collect([tmp_path])).comparisons}
    assert verdicts[f"{score} last"] == f"{better} is better"


def test_spreads_have_no_column_and_no_curve(outputs):
    content = Report.from_runs(collect([outputs]))
    assert "is_classifier_std" in content.runs[0].scores["best"]
    assert {column.score for column in content.columns} == {"fid_classifier", "is_classifier"}


def test_columns_follow_score_info_after_the_main_score(tmp_path, hinge):
    order = {name: SCORE_INFO[name] for name in ("is_classifier", "fid_classifier")}
    make_run(tmp_path / "run", hinge, score_info=order, extra_scores={"aaa": 1.0})
    content = Report.from_runs(collect([tmp_path]))
    scores = [column.score for column in content.columns if column.evaluation == "best"]
    assert scores == ["fid_classifier", "is_classifier", "aaa", "is_classifier_std"]


def test_hostile_run_cannot_turn_a_direction_around(outputs, wgan_gp):
    turned = {"fid_classifier": {"higher_is_better": True, "plot_scale": "log"}}
    make_run(outputs / "stranger", wgan_gp, 9, 900.0, score_info=turned, groups={"loss": "wgan_gp"})
    content = Report.from_runs(collect([outputs]))
    assert {column.info for column in content.columns if column.score == "fid_classifier"} == {UNKNOWN}
