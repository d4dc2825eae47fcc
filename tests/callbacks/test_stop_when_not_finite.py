"""A run ends if a loss or a weight is not finite."""

from types import SimpleNamespace

import pytest
from torch.nn import Linear

from ganexp.callbacks.stop_when_not_finite import StopWhenNotFinite
from ganexp.errors import UserError


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_run_with_a_loss_that_is_not_finite_ends(value):
    gan = SimpleNamespace(step=10, losses_logged_at=10, logged={"loss/generator": value, "score/fid_x": 1.0})
    with pytest.raises(UserError, match="NaN or infinity in loss/generator at step 10"):
        StopWhenNotFinite().on_train_batch_end(None, gan)
    gan.step = 11  # no loss is logged at this step, so none is checked
    StopWhenNotFinite().on_train_batch_end(None, gan)


def test_scores_that_are_not_finite_stop_nothing():
    gan = SimpleNamespace(step=10, losses_logged_at=10, logged={"loss/generator": 1.0, "score/fid_x": float("nan")})
    StopWhenNotFinite().on_train_batch_end(None, gan)


def test_weight_that_is_not_finite_stops_the_run_before_an_evaluation():
    gan = Linear(2, 1)
    gan.step = 10
    StopWhenNotFinite().on_validation_start(None, gan)
    gan.bias.data.fill_(float("nan"))
    with pytest.raises(UserError, match="NaN or infinity in bias at step 10"):
        StopWhenNotFinite().on_validation_start(None, gan)
