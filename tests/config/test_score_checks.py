"""The score that chooses the best checkpoint is checked before anything is read or trained."""

import pytest
from helpers.config import TINY, config

from ganexp.config.score_checks import check_best_by
from ganexp.errors import UserError
from ganexp.metrics.score import Score

ALL = "metrics/score=[is,fid,kid,accuracy,intra_fid,diversity,swd]"


class NamedWithoutExtractor(Score):
    higher_is_better, update, compute = True, print, print

    def value_names(self):
        return ["quality"]


@pytest.mark.parametrize(("score", "chosen"), [("metrics/score=[is,fid]", "kid"), (ALL, "nope"), (ALL, "accuracy_")])
def test_score_that_is_not_computed_is_refused(score, chosen):
    cfg = config(*TINY, "metrics=classifier", "model.conditional=true", score, f"metrics.best_by={chosen}")
    with pytest.raises(UserError, match=rf"metrics.best_by={chosen}: must be one of is, fid"):
        check_best_by(cfg, 10)


@pytest.mark.parametrize("chosen", ["is", "fid", "kid", "accuracy", "intra_fid"])
def test_score_that_is_computed_is_accepted(chosen):
    check_best_by(config(*TINY, "metrics=classifier", ALL, f"metrics.best_by={chosen}"), 10)


def test_score_that_needs_images_is_left_to_the_scores():
    cfg = config(*TINY, "metrics=classifier", "metrics.best_by=own")
    cfg.metrics.scores["own"] = {"_target_": "helpers.no_such_module.Score"}
    check_best_by(cfg, 10)


@pytest.mark.parametrize("chosen", ["quality", "own", "fid_x_test", "fid_test"])
def test_only_names_with_the_extractors_ending_are_listed(chosen):
    cfg = config(*TINY, "metrics=classifier", "metrics/score=[fid]", "metrics.references=[train,test]")
    cfg.metrics.best_by = chosen
    cfg.metrics.scores["own"] = {"_target_": f"{__name__}.NamedWithoutExtractor"}
    with pytest.raises(UserError, match=rf"metrics.best_by={chosen}: must be one of fid\. A score can"):
        check_best_by(cfg, 10)
