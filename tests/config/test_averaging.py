"""There is a warning if an average of weights spans more steps than the run; no published case has this warning."""

import pytest
from helpers.config import config

from ganexp.cli import CONF
from ganexp.config.averaging import average_warning

EXPERIMENTS = sorted(
    str(file.relative_to(CONF / "experiment").with_suffix("")) for file in CONF.glob("experiment/*/*.yaml")
)


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


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_published_case_has_no_warning(experiment):
    assert average_warning(config(f"experiment={experiment}")) == ""
