"""Every class or function that is named in a YAML file of ganexp declares which values its arguments allow."""

import inspect

import pytest
import yaml

from ganexp.cli import CONF
from ganexp.config.annotations import is_data, is_node
from ganexp.config.instantiate import locate


def targets_in_conf():
    """Return every target in conf, with the names of the settings that conf passes to this target."""
    found = {}
    for file in CONF.rglob("*.yaml"):
        if CONF / "hydra" not in file.parents:
            for target, settings in nodes_in(yaml.load(file.read_text(), yaml.CSafeLoader)):
                found.setdefault(target, set()).update(settings)
    return found


def nodes_in(value):
    if is_node(value):
        names = {name for name, item in value.items() if name[0] != "_" and not is_node(item)}
        yield value["_target_"], names - {"defaults"}  # in a file that is one node, `defaults` is a key of Hydra
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes_in(item)


TARGETS = targets_in_conf()


@pytest.mark.parametrize("target", TARGETS)
def test_target_in_conf_lists_its_arguments(target):
    parameters = inspect.signature(locate({"_target_": target}, "").func, eval_str=True).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert TARGETS[target] <= parameters.keys()


@pytest.mark.parametrize("target", [target for target in TARGETS if target.startswith("ganexp.")])
def test_target_in_conf_declares_what_its_settings_allow(target):
    parameters = inspect.signature(locate({"_target_": target}, "").func, eval_str=True).parameters
    undeclared = [name for name in TARGETS[target] if not is_data(parameters[name].annotation)]
    assert undeclared == []
