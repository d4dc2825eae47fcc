"""The remark that a run has not improved on the score of its untrained networks."""

import pytest

from ganexp.report.untrained import untrained_remark

BETTER = {"best": {"step": 9, "fid": 3.0}, "untrained": {"step": 0, "fid": 2.0}}


@pytest.mark.parametrize(
    ("scores", "name", "higher_is_better", "remark"),
    [
        (BETTER, "fid", False, "best: fid 3 at step 9; the untrained networks at step 0 scored better (2)"),
        (BETTER, "fid", True, ""),
        (BETTER, None, False, ""),
        (BETTER | {"best": {"fid": 3.0}}, "fid", False, ""),  # a damaged run.json
        (BETTER | {"best": {"step": 9}}, "fid", False, ""),
        ({}, "fid", False, ""),
    ],
)
def test_remark_names_a_score_that_has_not_improved(scores, name, higher_is_better, remark):
    assert untrained_remark(scores, name, higher_is_better, is_initial=False) == remark
