"""There is a warning if an average of weights spans more steps than the run."""

import pytest
from helpers.config import config

from ganexp.config.averaging import average_warning


@pytest.mark.parametrize("steps", [40, 100, 150, 671, 3000])
def test_warning_names_a_decay_that_does_not_warn(steps):
    warning = average_warning(config(f"schedule.steps={steps}", "schedule.ema.decay=0.9999"))
    decay = warning.rpartition("use ")[2]
    assert decay.startswith("schedule.ema.decay=0.")
    assert average_warning(config(f"schedule.steps={steps}", decay)) == ""


def test_very_short_run_is_told_to_leave_the_average_out():
    assert average_warning(config("schedule.steps=4", "schedule.ema.decay=0.5")).endswith(
        "omit the average in so short a run"
    )


def test_run_without_an_average_has_no_warning():
    assert average_warning(config("schedule.steps=4")) == ""


def test_limit_on_discriminator_updates_counts_as_the_length():
    words = ("schedule.steps=100000", "schedule.ema.decay=0.999", "schedule.updates.n_critic=5")
    assert average_warning(config(*words)) == ""
    assert "averages only 300 steps" in average_warning(config(*words, "schedule.max_d_steps=1500"))
    assert "only 600 steps" in average_warning(config(*words, "schedule.max_d_steps=1500", "schedule.updates.n_gen=2"))
