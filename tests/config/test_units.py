"""A run's length and evaluation interval are given in steps or in epochs.

The unit in an override replaces the unit that the chosen options use.
"""

import pytest
from helpers.config import raw_config
from omegaconf import OmegaConf

from ganexp.config.units import choose_units
from ganexp.errors import UserError


def schedule(**values):
    """Return a config with a schedule; keys that are not given are null, except evaluate_every, which is 5."""
    keys = ("steps", "epochs", "evaluate_every", "evaluate_every_epochs")
    return OmegaConf.create({"schedule": dict.fromkeys(keys) | {"evaluate_every": 5} | values})


@pytest.mark.parametrize(
    ("of_options", "typed", "expected"),
    [
        ({"steps": 100}, {"epochs": 2}, (None, 2)),
        ({"epochs": 100}, {"steps": 3}, (3, None)),
        ({"steps": 100}, {}, (100, None)),
        ({"epochs": 100}, {}, (None, 100)),
        ({"epochs": 100}, {"epochs": 2}, (None, 2)),
    ],
)
def test_typed_unit_replaces_that_of_the_options(of_options, typed, expected):
    cfg = schedule(**of_options | typed)
    choose_units(cfg, [f"++schedule.{key}={value}" for key, value in typed.items()])
    assert (cfg.schedule.steps, cfg.schedule.epochs) == expected


@pytest.mark.parametrize(
    ("values", "typed", "message"),
    [
        (
            {"steps": 5, "epochs": 2},
            ["steps", "epochs"],
            r"^schedule.steps=5 and schedule.epochs=2: give one of the two",
        ),
        ({"steps": 5, "epochs": 2}, [], "are both set by the chosen options: in the file that sets one of them"),
        ({}, [], "^Missing value: schedule.steps=… or schedule.epochs=…$"),
    ],
)
def test_both_units_or_neither_are_refused(values, typed, message):
    with pytest.raises(UserError, match=message):
        choose_units(schedule(**values), [f"schedule.{key}=1" for key in typed])


def test_debug_replaces_the_epochs_of_an_experiment():
    cfg = raw_config("experiment=sagan/anime_face", "debug=limit")
    choose_units(cfg, ["experiment=sagan/anime_face", "debug=limit"])
    assert (cfg.schedule.steps, cfg.schedule.evaluate_every) == (20, 10)
