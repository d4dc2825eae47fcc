"""The score that chooses the best checkpoint is checked before anything is read or trained."""

import pytest
from helpers.config import TINY, config

from ganexp.build import build_gan
from ganexp.errors import UserError

ALL = "metrics/score=[is,fid,kid,accuracy,intra_fid,diversity]"


@pytest.mark.parametrize(("score", "chosen"), [("metrics/score=[is,fid]", "kid"), (ALL, "nope"), (ALL, "accuracy_")])
def test_score_that_is_not_computed_is_refused(score, chosen):
    cfg = config(*TINY, "metrics=classifier", "model.conditional=true", score, f"metrics.best_by={chosen}")
    with pytest.raises(UserError, match=rf"metrics.best_by={chosen}: must be one of is, fid"):
        build_gan(cfg)


@pytest.mark.parametrize("chosen", ["is", "fid", "kid", "accuracy", "intra_fid"])
def test_score_that_is_computed_is_accepted(chosen):
    build_gan(config(*TINY, "metrics=classifier", "model.conditional=true", ALL, f"metrics.best_by={chosen}"))


def test_score_of_ones_own_is_left_to_the_scores():
    """It may need more than the names of what it is computed from."""
    source = "helpers.no_such_module.Score"
    cfg = config(*TINY, "metrics=classifier", "metrics.best_by=own")
    cfg.metrics.scores["own"] = {"_target_": source}
    with pytest.raises(UserError) as error:
        build_gan(cfg)
    assert "metrics.best_by" not in str(error.value)
