"""A report says which scores are computed from too few samples."""

from ganexp.report.columns import LAST, Column
from ganexp.report.few_samples import few_samples
from ganexp.report.score_info import ScoreInfo, merge_score_info, read_score_info


def test_scores_of_few_samples_are_named_once():
    info = read_score_info({"fid_x": {"fewest_images": 5000}, "is_x": {"fewest_images": None}})
    columns = [Column(score, evaluation, "a", "", info[score]) for score in info for evaluation in (LAST, "best")]
    (sentence,) = few_samples(columns, {"a": {"samples": 200}})
    assert sentence.startswith("fid_x is computed from 200 samples: with fewer than 5,000 images, ")
    assert not few_samples(columns, {"a": {"samples": 5000}})
    assert not few_samples(columns, {"a": {"samples": "many"}})
    assert not few_samples(columns, {})
    at_200 = Column("fid_x_200", LAST, "a", "A", ScoreInfo(fewest_images=5000, samples=200))
    (sentence,) = few_samples([at_200], {"a": {"samples": 10_000}})
    assert sentence.startswith("fid_x_200 [A] is computed from 200 samples: ")


def test_runs_that_do_not_record_the_number_still_agree():
    older, newer = {"fid": ScoreInfo(False)}, {"fid": ScoreInfo(False, fewest_images=5000)}
    assert merge_score_info([older, newer])["fid"].higher_is_better is False
