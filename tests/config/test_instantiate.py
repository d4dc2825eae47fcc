"""Nodes of a config are checked against the signatures of their targets, and then built."""

import math
import pickle
from typing import Any, Literal

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from ganexp.config.instantiate import UnknownArgument, instantiate, instantiate_all
from ganexp.errors import UserError, explain_unforeseen
from ganexp.types import NonNegativeFloat, PositiveFloat, PositiveInt, Widths

HERE = __name__


class Network:
    def __init__(
        self,
        depth: PositiveInt,
        widths: Widths = (1,),
        mode: Literal["slow", "fast"] = "slow",
        rate: PositiveFloat | None = None,
        inner: nn.Module | None = None,
        anything=None,
        flag: bool = False,
        labels: dict[str, Literal["real", "uniform"]] | None = None,
        pair: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.depth, self.widths, self.inner, self.anything = depth, widths, inner, anything
        self.rate, self.pair = rate, pair


class Refusing:
    def __init__(self, error: str) -> None:
        raise {"value": ValueError, "type": TypeError, "key": KeyError, "import": ImportError, "user": UserError}[
            error
        ]("the reason")


class Broken:
    def __init__(self) -> None:
        raise ZeroDivisionError("a defect")


class Uninitialised(nn.Module):
    def __init__(self) -> None:
        self.layer = nn.Linear(1, 1)


class Open:
    def __init__(self, first: int, **rest: int) -> None:
        self.first, self.rest = first, rest


class Unevaluable:
    def __init__(self, size: "NoSuchName") -> None:  # noqa: F821
        self.size = size


def function(count: NonNegativeFloat, context: Any) -> tuple:
    return count, context


def node(name="Network", **settings):
    return {"_target_": f"{HERE}.{name}", **settings}


def message(settings, **arguments):
    with pytest.raises(UserError) as error:
        instantiate(settings, "model.generator", **arguments)
    return str(error.value)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"depth": 0}, "depth=0: must be a whole number, at least 1"),
        ({"depth": "3"}, "depth='3': must be a whole number, at least 1"),
        ({"depth": 3.0}, "depth=3.0: must be a whole number, at least 1. Write 3"),
        ({"depth": True}, "depth=true: must be a whole number, at least 1"),
        ({"depth": None}, "depth=null: must be a whole number, at least 1"),
        ({"widths": []}, "widths=[]: must be a non-empty list of whole numbers, each at least 1"),
        ({"widths": [8, 0]}, "widths=[8, 0]: must be a non-empty list of whole numbers, each at least 1"),
        ({"widths": 8}, "widths=8: must be a non-empty list of whole numbers, each at least 1"),
        ({"mode": "middle"}, "mode=middle: must be one of slow, fast"),
        ({"rate": 0}, "rate=0: must be a number above 0, or null"),
        ({"rate": math.nan}, "rate=nan: must be a number above 0, or null"),
        ({"rate": math.inf}, "rate=inf: must be a number above 0, or null"),
        ({"rate": "fast"}, "rate=fast: must be a number above 0, or null"),
        ({"flag": 1}, "flag=1: must be true or false"),
        ({"flag": "true"}, "flag='true': must be true or false"),
        ({"labels": {"discriminator": "none"}}, "labels.discriminator=none: must be one of real, uniform"),
        ({"labels": "real"}, "labels=real: must be a mapping, each value one of real, uniform, or null"),
        ({"pair": [1]}, "pair=[1]: must be a list of 2 numbers"),
    ],
    ids=str,
)
def test_argument_outside_its_range_is_refused(settings, expected):
    assert message(node(**({"depth": 1} | settings))) == f"model.generator.{expected}"


@pytest.mark.parametrize(
    "settings",
    [
        {"rate": 3},
        {"rate": None},
        {"widths": [1, 2]},
        {"labels": {"discriminator": "real"}},
        {"pair": [0, 0.5]},
        {"anything": {"a": [1, None]}},
        {"inner": "a text"},
    ],
    ids=str,
)
def test_argument_in_its_range_is_accepted(settings):
    built = instantiate(node(depth=2, **settings), "model.generator")
    for name, value in settings.items():
        if name != "labels":
            assert getattr(built, name) == value
    assert type(built.widths) in (list, tuple)  # a plain list or tuple, not a list of OmegaConf


def test_all_wrong_arguments_are_listed():
    lines = message(node(depth=0, mode="middle", inner=node(depth=-1))).splitlines()
    assert [line.partition("=")[0] for line in lines] == [
        "model.generator.depth",
        "model.generator.mode",
        "model.generator.inner.depth",
    ]


def test_null_builds_nothing():
    assert instantiate(None, "schedule.lr_decay") is None


def test_missing_argument_is_refused():
    assert message(node()) == "model.generator.depth is missing: must be a whole number, at least 1"


def test_unknown_argument_names_the_others():
    with pytest.raises(UnknownArgument) as error:
        instantiate(node(depth=1, widhts=[2]), "model.generator")
    lines = str(error.value).splitlines()
    assert lines[0] == f"model.generator.widhts: {HERE}.Network has no argument widhts."
    assert lines[1].startswith("It has: anything, depth, flag")
    assert lines[2] == "Did you mean model.generator.widths?"
    assert (error.value.key, error.value.argument, error.value.target) == (
        "model.generator",
        "widhts",
        f"{HERE}.Network",
    )


def test_unknown_argument_survives_pickling():
    error = pickle.loads(pickle.dumps(UnknownArgument("message", "model.generator", "depth", "a.B")))
    assert (str(error), error.key, error.argument, error.target) == ("message", "model.generator", "depth", "a.B")


def test_unknown_arguments_of_open_targets_are_accepted():
    assert instantiate(node("Open", first=1, second=2), "x").rest == {"second": 2}


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("nowhere.Network", "No module named 'nowhere'"),
        ("ganexp.losses.Hing", "ganexp.losses.Hing"),
        ("os.system", "os.system"),
        ("math.pi", "Expected a callable"),
        (3, "must be the dotted path"),
        (None, "must be the dotted path"),
    ],
)
def test_target_that_cannot_be_used_is_refused(target, reason):
    text = message({"_target_": target})
    assert text.startswith(f"model.generator._target_={target}: ")
    assert reason in text
    hint = "\nIf the file nowhere.py is in the directory DIR: PYTHONPATH=DIR ganexp …"
    assert text.endswith(hint) == (target == "nowhere.Network")


@pytest.mark.parametrize("value", [1e300, "abc", True, [1], 0])
def test_value_in_place_of_a_node_is_refused(value):
    with pytest.raises(UserError, match=r"^schedule\.growth=.*: must be a node with a _target_, or null"):
        instantiate(value, "schedule.growth")


def test_node_without_target_is_refused():
    assert message({"width": 3}).startswith("model.generator has no _target_")


@pytest.mark.parametrize("error", ["value", "type", "key", "import"])
def test_error_of_a_constructor_gets_the_key(error):
    assert message(node("Refusing", error=error)).replace("'", "") == "model.generator: the reason"


def test_error_of_a_nested_constructor_gets_its_own_key():
    assert (
        message(node(depth=1, anything=[node("Refusing", error="value")])) == "model.generator.anything[0]: the reason"
    )


def test_user_error_of_a_constructor_passes_through():
    assert message(node("Refusing", error="user")) == "the reason"


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [("Broken", ZeroDivisionError, "a defect"), ("Uninitialised", AttributeError, "cannot assign module before")],
)
def test_defect_of_a_constructor_is_not_hidden_but_gets_its_key(name, kind, reason):
    with pytest.raises(kind, match=reason) as error:
        instantiate(node(anything=[node(name)], depth=1), "model.generator")
    lines = explain_unforeseen(error.value).splitlines()
    assert reason in lines[0]
    assert lines[1] == f"model.generator.anything[0]: the constructor of {HERE}.{name} has raised this error."


def test_nothing_is_built_before_everything_is_checked():
    assert "depth=0" in message(node(depth=0, inner=node("Broken")))


def test_nested_nodes_are_built_and_follow_their_own_signature():
    built = instantiate(node(depth=1, widths=node(depth=5), anything={"a": [node(depth=7)]}), "model.generator")
    assert built.widths.depth == 5  # the annotation of `widths` does not concern an object that a node builds
    assert built.anything["a"][0].depth == 7
    text = message(node(depth=1, anything={"a": [node(depth=0)]}))
    assert text == "model.generator.anything.a[0].depth=0: must be a whole number, at least 1"


def test_values_beside_a_nested_node_are_checked():
    text = message(node(depth=1, labels={"discriminator": node(depth=1), "generator": "none"}))
    assert text == "model.generator.labels.generator=none: must be one of real, uniform"


def test_arguments_from_code_are_not_checked():
    context = torch.zeros(2)
    count, passed = instantiate(node("function", count=2), "metrics.scores.fid", context=context)
    assert count == 2
    assert passed is context
    assert instantiate(node(widths=[3]), "x", depth="not checked").depth == "not checked"


def test_argument_from_code_cannot_be_set():
    assert message(node(depth=2), depth=3).startswith("model.generator.depth: is given by ganexp itself")


def test_partial_node_is_called_later():
    factory = instantiate(node(_partial_=True, widths=[4]), "model.generator")
    assert factory(depth=2).widths == [4]
    assert "widths=[0]" in message(node(_partial_=True, widths=[0]))


def test_positional_arguments_are_checked_and_passed():
    assert instantiate(node(_args_=[2, [3]]), "model.generator").widths == [3]
    assert message(node(_args_=[0])) == "model.generator._args_[0]=0: must be a whole number, at least 1"
    assert "has more than 9 values" in message(node(_args_=list(range(1, 11))))
    assert "depth: is given" in message(node(_args_=[2], depth=2))
    assert "_args_=2: must be a list" in message(node(_args_=2, depth=2))


def test_conversion_key_has_no_effect():
    assert instantiate(node(depth=1, _convert_="partial", anything=[1]), "x").anything == [1]


def test_nodes_within_a_node_that_is_not_recursive_stay():
    inner = node(depth=0)
    assert instantiate(node(depth=1, _recursive_=False, anything=inner), "x").anything == inner


def test_annotation_that_cannot_be_evaluated_allows_anything():
    assert instantiate(node("Unevaluable", size="any"), "x").size == "any"


def test_interpolations_are_resolved():
    cfg = OmegaConf.create({"size": 3, "generator": node(depth="${size}")})
    assert instantiate(cfg.generator, "generator").depth == 3


def test_original_error_of_hydra_is_understood(monkeypatch):
    def raise_original(settings):
        raise ImportError("no such module")

    monkeypatch.setattr("hydra.utils.instantiate", raise_original)
    assert message(node("Unseen")) == f"model.generator._target_={HERE}.Unseen: cannot be used: no such module"


def test_mapping_of_nodes_is_built_in_order_without_nulls():
    built = instantiate_all({"b": node(depth=1), "a": None, "c": node(depth=2)}, "callbacks")
    assert list(built) == ["b", "c"]
    with pytest.raises(UserError, match=r"^callbacks.c.depth=0: "):
        instantiate_all({"c": node(depth=0)}, "callbacks")
