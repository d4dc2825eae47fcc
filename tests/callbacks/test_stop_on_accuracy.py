"""Stopping a run whose discriminator accuracy is too low or too high at several logged points in a row."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from helpers.config import TINY, config

from ganexp.build import build_gan
from ganexp.callbacks.stop_on_accuracy import StopOnAccuracy
from ganexp.config.callback_checks import check_callbacks
from ganexp.errors import UserError


def steps_until_stop(callback, accuracies, log_every=1):
    """Return the step at which the callback stops a run with these accuracies, or None if it does not stop the run."""
    stops = []
    for step, accuracy in enumerate(accuracies, 1):
        gan = SimpleNamespace(
            step=step, losses_logged_at=step // log_every * log_every, is_done=False, stop=stops.append
        )
        real, fake = accuracy if isinstance(accuracy, tuple) else (accuracy, accuracy)
        gan.logged = {"discriminator/accuracy_real": real, "discriminator/accuracy_fake": fake, "loss/discriminator": 1}
        callback.on_train_batch_end(None, gan)
        if stops:
            return step
    return None


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ([1.0, 1.0, 1.0], 3),
        ([1.0, 1.0, 0.9, 1.0, 1.0, 1.0], 6),
        ([0.9] * 5, None),
        ([(1.0, 0.8)] * 5, None),  # the mean of the accuracies on real and generated images counts
        ([0.2, 1.0, 0.2], 3),
    ],
)
def test_run_stops_after_points_in_a_row(accuracies, expected):
    assert steps_until_stop(StopOnAccuracy(0.95, 0.4, 3), accuracies) == expected


def test_only_logged_points_count():
    assert steps_until_stop(StopOnAccuracy(0.95, 0.0, 2), [1.0] * 9, log_every=3) == 6


def test_number_of_points_is_resumed():
    first, second = StopOnAccuracy(0.95, 0.0, 3), StopOnAccuracy(0.95, 0.0, 3)
    steps_until_stop(first, [1.0, 1.0])
    second.load_state_dict(first.state_dict())
    assert steps_until_stop(second, [1.0]) == 1


@pytest.mark.parametrize(("loss", "is_refused"), [("wgan_gp", True), ("relativistic", True), ("hinge", False)])
def test_loss_without_accuracy_is_refused_before_training(loss, is_refused):
    cfg = config(*TINY[:-1], f"loss={loss}", "callbacks=[progress,stop_on_accuracy]")
    with pytest.raises(UserError, match=r"^callbacks.stop_on_accuracy: this loss") if is_refused else nullcontext():
        check_callbacks(cfg, build_gan(cfg))


def test_loss_without_accuracy_is_refused():
    gan = SimpleNamespace(step=1, losses_logged_at=1, logged={"loss/generator": 1.0})
    StopOnAccuracy(0.9, 0.0, 1).on_train_batch_end(None, gan)  # the discriminator has not been updated yet
    gan.logged["loss/discriminator"] = 1.0
    with pytest.raises(UserError, match="this loss has no accuracy"):
        StopOnAccuracy(0.9, 0.0, 1).on_train_batch_end(None, gan)
    with pytest.raises(ValueError, match=r"lowest=0\.9"):
        StopOnAccuracy(0.5, 0.9, 1)
