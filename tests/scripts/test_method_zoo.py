"""The page docs/methods.md agrees with the configs and docstrings, and lists everything that can be chosen."""

import inspect
import re

import method_zoo
import pytest
from helpers.options import options
from hydra.utils import get_object
from omegaconf import OmegaConf

from ganexp.cli import CONF
from ganexp.commands.options import layers
from ganexp.config import schema
from ganexp.config.choices import chosen_options
from ganexp.config.composition import compose_config

PAGE = method_zoo.PAGE.read_text(encoding="utf-8")
METHODS = [
    (group, name)
    for group in ("loss", "loss/penalty", "loss/auxiliary", "loss/modifier", "augment", "schedule/updates")
    for name in options(group)
    if "/" not in name and method_zoo.targets(group, name)
]


def test_page_is_up_to_date():
    assert method_zoo.page() == PAGE, "docs/methods.md is out of date: run make docs"


def test_page_has_every_method():
    for _, name in METHODS:
        assert f"\n### {name}\n" in PAGE
    for name in [*options("model"), *options("data"), *(layer.name for layer in layers())]:
        assert f"\n| `{name}` | " in PAGE
    for name in options("experiment"):
        assert (f"\n| `{name}` | " in PAGE) == ("/base/" not in name)


@pytest.mark.parametrize(("group", "name"), METHODS, ids=lambda value: value)
def test_method_says_when_to_use_it(group, name):
    for target in method_zoo.targets(group, name):
        assert re.search(r"\bUse it\b", inspect.getdoc(get_object(target))), target


@pytest.mark.parametrize("layer", [layer.name for layer in layers()])
def test_layer_says_when_to_use_it(layer):
    assert re.search(r"\bUse it\b", inspect.getdoc(get_object(f"ganexp.models.{layer}")))


@pytest.mark.parametrize("case", ["sagan/cifar10_5", "gan_lib/dfm", "textbook/cgan", None])
def test_chosen_options_are_those_that_hydra_chooses(case):
    schema.register()
    composed = compose_config("train", [f"experiment={case}"] if case else [], [CONF], with_hydra=True)
    choices = OmegaConf.to_container(composed.hydra.runtime.choices)
    others = ("hydra", "experiment", "sweep")
    # A group of which a run can have several options, such as callbacks, is not in `choices`.
    expected = {group: name for group, name in choices.items() if name and not group.startswith(others)}
    assert len(expected) > 8
    chosen = chosen_options(case)
    assert {group: chosen.get(group) for group in expected} == {group: [name] for group, name in expected.items()}


def test_published_cases_name_those_that_use_a_method():
    section = PAGE.partition("\n### loss_limit\n")[2].partition("\n## ")[0]
    assert re.search(r"Published cases:.*`sagan/cifar10_3`", section, re.DOTALL)
    assert "`sagan/cifar10_2`" not in section
