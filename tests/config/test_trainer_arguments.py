"""Every argument of Lightning's Trainer can be set in the config, or is refused with the setting to use instead."""

import inspect
import re
from dataclasses import fields

import pytest
import pytorch_lightning as pl
from helpers.config import raw_config

from ganexp.config import schema, sections
from ganexp.config.trainer_arguments import REASONS, reason_against, reasons_against_values
from ganexp.errors import UserError

ARGUMENTS = set(inspect.signature(pl.Trainer).parameters)
DECLARED = {field.name for field in fields(sections.Trainer)}


def test_every_argument_is_declared_or_refused():
    assert set(REASONS) == ARGUMENTS - DECLARED
    assert {"log_every", "tf32", "channels_last", "cuda_graph", "threads", "on_oom", "compile"} == DECLARED - ARGUMENTS


@pytest.mark.parametrize("argument", sorted(REASONS))
def test_refused_argument_gets_the_reason(argument):
    with pytest.raises(UserError) as error:
        schema.resolve(raw_config(f"+trainer.{argument}=1"))
    assert str(error.value) == f"trainer.{argument}: {REASONS[argument]}"


def test_settings_that_reasons_name_exist():
    """Each key that a reason names, such as schedule.steps, is a key of the config."""
    keys = {
        key for reason in REASONS.values() for key in re.findall(r"\b(?:schedule|trainer|metrics)\.[\w.]+\w", reason)
    }
    assert len(keys) >= 5
    raw_config(*(f"{key}=1" for key in keys))


def test_only_arguments_of_the_trainer_have_reasons():
    assert reason_against("trainer.max_steps") == REASONS["max_steps"]
    assert reason_against("schedule.max_steps") is None
    assert reason_against("trainer.foo") is None
    assert reason_against("max_steps") is None


def test_values_within_the_range_have_no_reasons():
    assert list(reasons_against_values({"devices": 1, "precision": "32"})) == []
    assert list(reasons_against_values({})) == []
