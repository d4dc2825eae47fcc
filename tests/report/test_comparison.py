"""Comparisons: their verdicts, the correction of p values, and scores of different protocols."""

import json
import math

import pytest
from helpers.runs import make_run, template

from ganexp.report.collect import collect
from ganexp.report.comparison import compare
from ganexp.report.grouping import group_runs
from ganexp.report.page import as_page
from ganexp.report.report import Report


def comparisons(path):
    found = Report.from_runs(collect([path])).comparisons
    return {(each.column.title, each.first.label, each.second.label): each for each in found}


def test_verdict_names_the_better_configuration(outputs):
    found = comparisons(outputs)
    fid = found["fid_classifier best", "loss=hinge", "loss=wgan_gp"]
    inception_score = found["is_classifier last", "loss=hinge", "loss=wgan_gp"]
    assert (fid.verdict, fid.difference.kind) == ("first is better", "paired")
    assert fid.difference.mean == pytest.approx(-10)
    assert inception_score.verdict == "first is better"
    assert inception_score.difference.mean > 0


def test_configurations_that_are_not_separable_have_no_winner(tmp_path, hinge, wgan_gp):
    for loss, text, fids in (("hinge", hinge, (20, 25, 22)), ("wgan_gp", wgan_gp, (21, 22, 24))):
        for seed, fid in enumerate(fids):
            make_run(tmp_path / loss / str(seed), text, seed, fid, groups={"loss": loss})
    make_run(tmp_path / "single", template("loss=wgan"), 7, 90, groups={"loss": "wgan"})
    found = comparisons(tmp_path)
    both = found["fid_classifier last", "loss=hinge", "loss=wgan_gp"]
    assert both.verdict == "not separable at n=3"
    assert not both.is_separable
    single = found["fid_classifier last", "loss=hinge", "loss=wgan"]
    assert (single.verdict, single.p) == ("not separable at n=3 and 1", None)


def test_verdict_names_the_correction_that_decides(tmp_path, hinge):
    for index, fids in enumerate([(20.0, 20.0), (23.0, 23.2), (26.0, 26.4), (29.0, 29.6)]):
        text = hinge.replace("batch_size: 64", f"batch_size: {64 + index}")
        for seed, fid in enumerate(fids):
            make_run(tmp_path / f"{index}-{seed}", text, seed, fid)
    found = [each for (title, *_), each in comparisons(tmp_path).items() if title == "fid_classifier best"]
    assert {each.verdict for each in found} == {"not separable at n=2 (Holm, 12 comparisons)"}  # 6 pairs, 2 scores
    assert all(each.difference.p < 0.05 < each.p for each in found)


def test_best_checkpoint_that_is_the_last_counts_once(tmp_path, hinge):
    """At first, the best and last evaluations of every run have equal Inception Scores; then they differ in one run."""
    for index in range(4):
        text = hinge.replace("batch_size: 64", f"batch_size: {64 + index}")
        for seed in range(2):
            run = make_run(tmp_path / f"{index}-{seed}", text, seed, 20.0 + index + 0.1 * seed * index)
    before = comparisons(tmp_path)
    metadata = json.loads((run / "run.json").read_text())
    metadata["scores"]["last"]["is_classifier"] = 1.0
    (run / "run.json").write_text(json.dumps(metadata))
    after = comparisons(tmp_path)
    names = [
        sorted({label for title, *pair in found if title == "is_classifier best" for label in pair})
        for found in (before, after)
    ]
    assert names == [[], [f"schedule.batch_size={size}" for size in range(64, 68)]]
    others = [{each.tests for (title, *_), each in found.items() if "last" not in title} for found in (before, after)]
    assert others == [{12}, {15}]
    assert [len(found) for found in (before, after)] == [18, 21]


def test_main_score_is_corrected_for_pairs_only(tmp_path, hinge):
    """With two seeds, a paired t test has one degree of freedom, so p = 1 - 2/π · arctan |t|."""
    for index, fids in enumerate([(20.0, 20.0), (21.0, 23.0), (40.0, 44.0)]):
        text = hinge.replace("batch_size: 64", f"batch_size: {64 + index}")
        for seed, fid in enumerate(fids):
            make_run(tmp_path / f"{index}-{seed}", text, seed, fid)
    content = Report.from_runs(collect([tmp_path]))
    # For the two seeds, the FIDs differ by 19 and 21 in one pair, by 20 and 24 in another, and by 1 and 3 in the third.
    p_of_fid = [1 - 2 / math.pi * math.atan(t) for t in (20, 11, 2)]
    main = sorted(each.p for each in content.comparisons if each.column == content.main)
    assert main == pytest.approx([3 * p_of_fid[0], 2 * p_of_fid[1], p_of_fid[2]])
    others = [each for each in content.comparisons if each.column != content.main]
    assert {each.tests for each in others} == {6}  # 3 pairs, each compared by the best FID and by the Inception Score
    least = min(others, key=lambda each: each.difference.p)
    assert least.p == pytest.approx(6 * least.difference.p)
    assert "fid_classifier (last evaluation) has a correction of its own" in content.comparisons_text


def test_holm_counts_only_pairs_that_can_be_tested(tmp_path, hinge):
    """Only two of four configurations have two seeds, so one pair is tested: by the main score and two other scores."""
    for index, fids in enumerate([(20.0, 20.0), (23.0, 23.2), (26.0,), (29.0,)]):
        text = hinge.replace("batch_size: 64", f"batch_size: {64 + index}")
        for seed, fid in enumerate(fids):
            make_run(tmp_path / f"{index}-{seed}", text, seed, fid)
    content = Report.from_runs(collect([tmp_path]))
    differences = {"fid": (3.0, 3.2), "is": (3 - 60 / 23, 3 - 60 / 23.2)}
    ts = {score: (first + second) / (second - first) for score, (first, second) in differences.items()}
    p = {score: 1 - 2 / math.pi * math.atan(t) for score, t in ts.items()}
    assert [each.p for each in content.tested_by_main] == pytest.approx([p["fid"]])
    assert [each.p for each in content.tested_by_others] == pytest.approx(
        [2 * p["is"]] * 2
    )  # of the two other scores, the Inception Score has the smaller p
    # Each of the 5 other pairs lacks three tests: by the best FID, by the last FID, and by the Inception Score.
    assert len(content.comparisons) - len(content.tested) == 5 * 3


def test_scores_are_one_family_without_a_declared_main_score(tmp_path, hinge):
    for best_by in ("fid", "is"):
        for seed in range(2):
            make_run(
                tmp_path / f"{best_by}-{seed}", hinge.replace("best_by: fid", f"best_by: {best_by}"), seed, 20.0 + seed
            )
    content = Report.from_runs(collect([tmp_path]))
    assert {each.tests for each in content.comparisons} == {3}
    assert "do not declare one main score" in content.comparisons_text


def test_scores_are_corrected_for_each_other(tmp_path, hinge, wgan_gp):
    """The difference between the losses is significant if one score is tested, but not if 20 scores are tested."""
    for loss, text, fids in (("hinge", hinge, (20.0, 20.1)), ("wgan_gp", wgan_gp, (23.0, 23.4))):
        for seed, fid in enumerate(fids):
            make_run(tmp_path / loss / str(seed), text, seed, fid, groups={"loss": loss})
    runs = collect([tmp_path])
    column = next(each for each in Report.from_runs(runs).columns if each.title == "fid_classifier best")
    configurations = group_runs(runs)
    assert [each.verdict for each in compare(configurations, [column])] == ["first is better"]
    among_many = compare(configurations, [column] * 20)
    assert {each.verdict for each in among_many} == {"not separable at n=2 (Holm, 20 comparisons)"}


def test_many_configurations_are_compared_with_the_best_only(tmp_path, hinge):
    for index in range(14):
        text = hinge.replace("batch_size: 64", f"batch_size: {64 + index}")
        for seed in range(2):
            make_run(tmp_path / f"{index}-{seed}", text, seed, 30.0 - index + 0.1 * seed * index)
    make_run(tmp_path / "single", hinge.replace("batch_size: 64", "batch_size: 99"), 0, 10.0)  # one seed
    content = Report.from_runs(collect([tmp_path]))
    for title in ("fid_classifier best", "is_classifier last"):  # of the batch sizes with two seeds, 77 is best
        found = [each for each in content.comparisons if each.column.title == title]
        assert len(found) == 14
        assert {each.pairs for each in found} == {91}
        assert {each.first.label for each in found} == {"schedule.batch_size=77"}
    assert content.lacks_pairs
    assert "of the configurations with at least two seeds, the one that has the best mean" in as_page(content, None)


def test_scores_of_two_protocols_share_no_column(tmp_path, hinge, wgan_gp):
    protocols = {
        name: {"extractor": "classifier", "samples": samples, "id": name}
        for name, samples in (("aa", 100), ("bb", 500))
    }
    for loss, text in (("hinge", hinge), ("wgan_gp", wgan_gp)):
        for seed in range(3):
            protocol = protocols["bb" if (loss, seed) == ("hinge", 2) else "aa"]
            make_run(tmp_path / loss / str(seed), text, seed, 20 + seed, protocol=protocol, groups={"loss": loss})
    make_run(tmp_path / "old", hinge, 9, 5.0, groups={"loss": "hinge"})
    content = Report.from_runs(collect([tmp_path]))
    assert content.letters == {"aa": "A", "bb": "B", "?": "?"}
    assert {note.letter: note.values for note in content.protocol_notes()} == {
        "A": {"samples": "100"},
        "B": {"samples": "500"},
        "?": {"protocol": "not recorded"},
    }
    sizes = {column.title: summary.n for column, summary in content.rows[0].cells.items()}
    assert {title: n for title, n in sizes.items() if title.startswith("fid") and title.endswith("best")} == {
        "fid_classifier [A] best": 2,
        "fid_classifier [B] best": 1,
        "fid_classifier [?] best": 1,
    }
    assert {each.column.letter for each in content.comparisons} == {"A"}


def test_unknown_protocol_is_said_once(outputs):
    content = Report.from_runs(collect([outputs]))
    assert content.letters == {}
    assert content.protocol_is_unknown
    assert content.protocol_notes() == []


def test_unfinished_run_has_a_protocol_by_its_logged_scores(outputs, hinge):
    make_run(outputs / "running", hinge, 5, status="running", scores={}, protocol={"id": "aa"})
    assert Report.from_runs(collect([outputs])).letters == {"aa": "A", "?": "?"}
