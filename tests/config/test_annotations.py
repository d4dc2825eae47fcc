"""Annotations are described in plain words, and values are checked against these annotations."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest
import torch
from annotated_types import Gt, Le, Len, Lt, MaxLen, MinLen
from torch import nn

from ganexp.config.annotations import MAX_SHOWN, allows, describe, is_data, show, violations
from ganexp.types import (
    BelowOne,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    UnitInterval,
    Widths,
)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, "a whole number"),
        (float, "a number"),
        (str, "a text"),
        (bool, "true or false"),
        (None, "null"),
        (PositiveInt, "a whole number, at least 1"),
        (NonNegativeInt, "a whole number, at least 0"),
        (PositiveFloat, "a number above 0"),
        (NonNegativeFloat, "a number, at least 0"),
        (FiniteFloat, "a finite number"),
        (UnitInterval, "a number from 0 to 1"),
        (BelowOne, "a number, at least 0 and below 1"),
        (Annotated[float, Gt(0), Lt(1)], "a number above 0 and below 1"),
        (Annotated[int, Le(3)], "a whole number, at most 3"),
        (Annotated[str, MinLen(1)], "a non-empty text"),
        (PositiveFloat | None, "a number above 0, or null"),
        (int | None, "a whole number, or null"),
        (bool | Literal["auto"], "true or false, or auto"),
        (Literal["fresh", "shared"], "one of fresh, shared"),
        (Literal[10, 100], "one of 10, 100"),
        (None | Literal["fresh", "shared"], "one of fresh, shared, or null"),
        (Widths, "a non-empty list of whole numbers, each at least 1"),
        (list[PositiveInt], "a list of whole numbers, each at least 1"),
        (list[str], "a list of texts"),
        (list, "a list of values"),
        (list[Literal["a", "b"]], "a list of values, each one of a, b"),
        (Sequence[float], "a list of numbers"),
        (tuple[int, ...], "a list of whole numbers"),
        (tuple[float, float], "a list of 2 numbers"),
        (tuple[int, str], "a list of 2 values: a whole number, then a text"),
        (Annotated[list[BelowOne], Len(2, 2)], "a list of 2 numbers, each at least 0 and below 1"),
        (Annotated[list[int], Len(2)], "a list of at least 2 whole numbers"),
        (Annotated[list[int], MaxLen(3)], "a list of 0 to 3 whole numbers"),
        (dict, "a mapping"),
        (dict[str, Literal["a", "b"]], "a mapping, each value one of a, b"),
        (PositiveFloat | list[PositiveFloat], "a number above 0, or a list of numbers, each above 0"),
    ],
    ids=str,
)
def test_annotation_is_described_in_plain_words(annotation, expected):
    assert is_data(annotation)
    assert describe(annotation) == expected


def test_whole_number_in_another_form_is_answered_with_it():
    (complaint,) = violations(1000.0, PositiveInt | None, "steps")
    assert complaint == "steps=1000.0: must be a whole number, at least 1, or null. Write 1000"
    for value in (0.0, 1.5, math.inf, "1000"):
        assert "Write" not in next(violations(value, PositiveInt, "steps"))


@pytest.mark.parametrize(
    "annotation",
    [Any, object, nn.Module, torch.Tensor, Callable, Callable[[int], int], float | torch.Tensor, list[nn.Module], type],
    ids=str,
)
def test_annotation_of_other_than_data_allows_anything(annotation):
    assert not is_data(annotation)
    assert list(violations("any", annotation, "key")) == []


@pytest.mark.parametrize(
    ("annotation", "value", "allowed"),
    [
        (int, 3, True),
        (int, 3.0, False),
        (int, "3", False),
        (int, True, False),
        (float, 3, True),
        (float, "3", False),
        (float, True, False),
        (str, 3, False),
        (bool, 1, False),
        (bool, "true", False),
        (FiniteFloat, math.nan, False),
        (FiniteFloat, -math.inf, False),
        (UnitInterval, 1, True),
        (UnitInterval, math.nan, False),
        (BelowOne, 1, False),
        (tuple[float, float], [1, 2], True),
        (tuple[float, float], [1, 2, 3], False),
        (Sequence[str], "text", False),
        (Mapping[str, int], {"a": 1}, True),
        (dict[str, int], {"a": "1"}, False),
    ],
    ids=str,
)
def test_values_are_checked_strictly(annotation, value, allowed):
    assert allows(annotation, value) == allowed


def test_name_in_a_mapping_is_checked():
    lines = violations({"generater": "real"}, dict[Literal["generator"], Literal["real"]], "labels")
    assert list(lines) == ["labels.generater=real: the name must be generator"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("text", "text"),
        ("3", "'3'"),
        ("true", "'true'"),
        ("", "''"),
        ([1, [None]], "[1, [null]]"),
        ({"a": {"b": False}}, "{a: {b: false}}"),
    ],
    ids=str,
)
def test_value_is_shown_as_in_an_override(value, expected):
    assert show(value) == expected


@pytest.mark.parametrize("value", [10**30, -(10**30), 1e300, -1e300])
def test_number_that_is_too_far_from_zero_is_refused_with_both_limits(value):
    (line,) = violations(value, object, "key")
    assert re.search(r"must be a number from -(\S+) to \1$", line)


def test_long_value_is_cut():
    text = show(list(range(1000)))
    assert len(text) == MAX_SHOWN
    assert text.endswith("…")
