"""The line about the length of a run that a training prints at its start."""

from unittest import mock

import pytest
from helpers.config import config

from ganexp.commands.prepare import describe_length


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("loss=hinge", "loss.n_critic=1"), "20 steps, that is 2 epochs of 10 batches;"),
        (("loss=hinge", "loss.n_critic=3"), "20 steps, that is 6 epochs of 10 batches (3 batches in each step);"),
        (("loss=hinge", "schedule/updates=loss_limit"), "20 steps;"),
    ],
)
def test_length_in_epochs_says_how_many_batches_a_step_has(overrides, expected):
    cfg = config("data=fake", "schedule.batch_size=16", "schedule.steps=20", "schedule.evaluate_every=10", *overrides)
    stream = mock.Mock(image_set=range(165), batches_per_epoch=10)
    assert describe_length(cfg, stream).startswith(f"length: {expected}")
