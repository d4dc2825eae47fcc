"""A report says which scores are computed from too few samples."""

from pathlib import Path

import pytest

from ganexp.report.columns import LAST, Column
from ganexp.report.evaluated import Evaluated
from ganexp.report.few_samples import few_samples
from ganexp.report.run import Run
from ganexp.report.score_info import ScoreInfo, merge_score_info, read_score_info


def run_with(score_info, **protocol):
    return Run(Path("run"), "run", score_info=score_info, protocol={"id": "a"} | protocol)


def test_scores_of_few_samples_are_named_once():
    info = read_score_info({"fid_x": {"fewest_images": 5000}, "is_x": {"fewest_images": None}})
    columns = [Column(score, evaluation, "a", "", info[score]) for score in info for evaluation in (LAST, "best")]
    (sentence,) = few_samples(columns, [run_with(info, samples=200)])
    assert sentence.startswith("fid_x is computed from 200 samples: with fewer than 5,000 images, ")
    assert not few_samples(columns, [run_with(info, samples=5000)])
    assert not few_samples(columns, [run_with(info, samples="many")])
    assert not few_samples(columns, [run_with(info)])
    at_200 = ScoreInfo(fewest_images=5000, samples=200)
    run = run_with({"fid_x_200": at_200}, samples=10_000)
    (sentence,) = few_samples([Column("fid_x_200", LAST, "a", "A", at_200)], [run])
    assert sentence.startswith("fid_x_200 [A] is computed from 200 samples: ")


@pytest.mark.parametrize("counts", [(30, 6000), (6000, 30)])
def test_numbers_of_samples_are_those_of_the_columns_protocol(counts):
    of_training, of_evaluation = ({"intra_fid": ScoreInfo(False, False, None, 2048, samples)} for samples in counts)
    evaluated = Evaluated("scores.json", "evaluated", None, {"intra_fid": 1.0}, of_evaluation, {"id": "b"})
    run = run_with(of_training)
    run.evaluated = [evaluated]
    older = run_with({"intra_fid": ScoreInfo(False)}, id="c")  # this run does not record the number of samples
    merged = merge_score_info([of_training, of_evaluation, older.score_info])["intra_fid"]
    columns = [Column("intra_fid", LAST, "a", "A", merged), Column("intra_fid", "evaluated", "b", "B", merged)]
    (sentence,) = few_samples(columns, [run, older])
    assert sentence.startswith(f"intra_fid [{'A' if counts[0] == 30 else 'B'}] is computed from 30 samples: ")


def test_runs_that_do_not_record_the_number_still_agree():
    older, newer = {"fid": ScoreInfo(False)}, {"fid": ScoreInfo(False, fewest_images=5000)}
    assert merge_score_info([older, newer])["fid"].higher_is_better is False
