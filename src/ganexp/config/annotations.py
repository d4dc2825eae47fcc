"""Check values of a config against type annotations, and describe the allowed values in plain English.

Numbers, strings and Booleans are checked strictly: 3.0, '3' and true are not whole numbers, but 3 is a number.
The values of tuples and other sequence types are lists, as in YAML. This module must not import torch.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, MaxLen, MinLen

SCALARS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
PLURALS = {int: "whole numbers", float: "numbers", str: "texts"}
LISTS = (list, tuple, Sequence)
MAPPINGS = (dict, Mapping)
MAX_INT = 2**32 - 1  # the largest seed; larger sizes and step numbers would overflow in the libraries that ganexp uses
MAX_FLOAT = (2 - 2**-23) * 2.0**127  # the largest float32 number; networks are trained in float32
MAX_SHOWN = 80  # largest number of characters of a value in an error message


def violations(value: Any, annotation: Any, key: str) -> Iterator[str]:
    """Yield a line with key, value and allowed values for each part of `value` that `annotation` does not allow.

    An annotation that is not plain data (a class, a callable, Any) allows everything except numbers beyond `MAX_INT` or
    `MAX_FLOAT`. Nodes with a `_target_`, and lists with such nodes, are skipped, because the types of their objects are
    not known.
    """
    if is_node(value):
        return
    if isinstance(value, int) and abs(value) > MAX_INT:
        yield f"{key}={show(value)}: must be a number from -{MAX_INT:,} to {MAX_INT:,}"
        return
    if isinstance(value, float) and MAX_FLOAT < abs(value) < math.inf:
        yield f"{key}={show(value)}: must be a number from -{MAX_FLOAT:.1e} to {MAX_FLOAT:.1e}"
        return
    if not is_data(annotation):
        return
    entries = _mapping_types(annotation)
    if entries is not None and isinstance(value, Mapping):
        names, items = entries
        for name, item in value.items():
            if not allows(names, name):
                yield f"{key}.{name}={show(item)}: the name must be {describe(names)}"
            yield from violations(item, items, f"{key}.{name}")
    elif not any(_nodes_within(value)) and not allows(annotation, value):
        yield f"{key}={show(value)}: must be {describe(annotation)}{whole_form(value, annotation)}"


def allows(annotation: Any, value: Any) -> bool:
    """Return whether a plain value is valid for an annotation of plain data."""
    from pydantic import ValidationError  # imported late: the command line must start quickly

    try:
        _adapter(annotation).validate_json(json.dumps(value), strict=True)  # in JSON, every sequence is a list
    except ValidationError:
        return False
    return True


def whole_form(value: Any, annotation: Any) -> str:
    """Return a hint if a whole number was given as a float: ". Write 1000" for 1e3, which YAML reads as 1000.0."""
    is_whole = isinstance(value, float) and value.is_integer() and allows(annotation, int(value))
    return f". Write {int(value)}" if is_whole else ""


@cache
def _adapter(annotation: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(annotation)


def is_node(value: Any) -> bool:
    """Return whether `value` describes an object to build: a mapping with a `_target_`."""
    return isinstance(value, Mapping) and "_target_" in value


def _nodes_within(value: Any) -> Iterator[bool]:
    """Yield True for every node in a list or mapping, at any depth."""
    if is_node(value):
        yield True
    elif isinstance(value, (Mapping, list)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _nodes_within(item)


def is_data(annotation: Any) -> bool:
    """Return whether `annotation` allows only numbers, strings, Booleans, null, lists and mappings."""
    if annotation in (None, NoneType, *SCALARS, *LISTS, *MAPPINGS):
        return True
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return True
    if origin is Annotated:
        return is_data(arguments[0])
    if origin in (Union, UnionType, *LISTS, *MAPPINGS):
        return all(is_data(argument) for argument in arguments if argument is not ...)
    return False


def _mapping_types(annotation: Any) -> tuple[Any, Any] | None:
    """Return the types of the keys and the values if `annotation` is a mapping or an optional mapping, else None."""
    members = [member for member in _union_members(annotation) if member not in (None, NoneType)]
    if len(members) == 1 and get_origin(members[0]) in MAPPINGS:
        names, items = get_args(members[0])
        return names, items
    return None


def _union_members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def describe(annotation: Any) -> str:
    """Describe in plain English the values that `annotation` allows.

    Examples are "a whole number, at least 1", "one of fresh, shared", "a number above 0, or null" and "a non-empty list
    of whole numbers, each at least 1".
    """
    members = _union_members(annotation)
    if len(members) > 1:
        null_last = sorted(members, key=lambda member: member in (None, NoneType))
        return ", or ".join(describe(member) for member in null_last)
    if annotation in (None, NoneType):
        return "null"
    kind, limits = _without_limits(annotation)
    origin = get_origin(kind) or kind
    if origin is Literal:
        return _describe_choices(get_args(kind))
    if origin in LISTS:
        return _describe_list(kind, limits)
    if origin in MAPPINGS:
        return _describe_mapping(kind)
    return _describe_scalar(kind, limits)


def _without_limits(annotation: Any) -> tuple[Any, list[Any]]:
    """Split Annotated[kind, limits…] into the kind and its limits; the limits may be empty."""
    if get_origin(annotation) is not Annotated:
        return annotation, []
    kind, *metadata = get_args(annotation)
    limits: list[Any] = []
    for item in metadata:
        limits.extend(item if isinstance(item, GroupedMetadata) else [item])
    return kind, limits


def _describe_choices(choices: Iterable[Any]) -> str:
    texts = [show(choice) for choice in choices]
    return texts[0] if len(texts) == 1 else f"one of {', '.join(texts)}"


def _describe_scalar(kind: Any, limits: list[Any]) -> str:
    name, limit = SCALARS.get(kind, str(kind)), _describe_limits(limits)
    if _is_finite(limits) and not limit:
        return f"a finite {name.removeprefix('a ')}"
    if _least_length(limits):
        return f"a non-empty {name.removeprefix('a ')}"
    separator = ", " if limit.startswith("at ") else " " if limit else ""
    return f"{name}{separator}{limit}"


def _describe_limits(limits: list[Any]) -> str:
    """Return the range of a number: "at least 1", "above 0 and below 1", "from 0 to 1"; empty if there is no limit."""
    lower = upper = ""
    for limit in limits:
        if isinstance(limit, Ge) and limit.ge != -math.inf:
            lower = f"at least {show(limit.ge)}"
        elif isinstance(limit, Gt) and limit.gt != -math.inf:
            lower = f"above {show(limit.gt)}"
        elif isinstance(limit, Le) and limit.le != math.inf:
            upper = f"at most {show(limit.le)}"
        elif isinstance(limit, Lt) and limit.lt != math.inf:
            upper = f"below {show(limit.lt)}"
    if lower.startswith("at least") and upper.startswith("at most"):
        return f"from {lower.removeprefix('at least ')} to {upper.removeprefix('at most ')}"
    return " and ".join(limit for limit in (lower, upper) if limit)


def _is_finite(limits: list[Any]) -> bool:
    return any(isinstance(limit, Lt) and limit.lt == math.inf for limit in limits)


def _least_length(limits: list[Any]) -> int:
    return max((limit.min_length for limit in limits if isinstance(limit, MinLen)), default=0)


def _describe_list(kind: Any, limits: list[Any]) -> str:
    items = [item for item in get_args(kind) if item is not ...] or [Any]
    if len(set(items)) > 1:  # a tuple of values with different annotations
        return f"a list of {len(items)} values: {', then '.join(describe(item) for item in items)}"
    most = min((limit.max_length for limit in limits if isinstance(limit, MaxLen)), default=None)
    least = _least_length(limits)
    if get_origin(kind) is tuple and ... not in get_args(kind):
        least = most = len(items)
    size = _describe_size(least, most)
    item_kind, item_limits = _without_limits(items[0])
    if item_kind in PLURALS:
        limit = _describe_limits(item_limits)
        return f"{size.format(PLURALS[item_kind])}{f', each {limit}' if limit else ''}"
    if item_kind is Any:
        return size.format("values")
    return f"{size.format('values')}, each {describe(items[0])}"


def _describe_size(least: int, most: int | None) -> str:
    """Return "a list of {}" with the allowed lengths, such as "a list of 2 {}" or "a non-empty list of {}"."""
    if most is not None:
        return f"a list of {most} {{}}" if least == most else f"a list of {least} to {most} {{}}"
    if least > 1:
        return f"a list of at least {least} {{}}"
    return "a non-empty list of {}" if least == 1 else "a list of {}"


def _describe_mapping(kind: Any) -> str:
    _, items = get_args(kind) or (Any, Any)
    return "a mapping" if items is Any else f"a mapping, each value {describe(items)}"


def show(value: Any) -> str:
    """Return `value` as it is written in an override, such as null or [1, 2], cut to at most `MAX_SHOWN` characters.

    A string that looks like another type gets quotes.
    """
    if isinstance(value, str):
        text = repr(value) if _looks_like_another_type(value) else value
    elif isinstance(value, Mapping):
        text = f"{{{', '.join(f'{name}: {show(item)}' for name, item in value.items())}}}"
    elif isinstance(value, (list, tuple)):
        text = f"[{', '.join(show(item) for item in value)}]"
    elif value is None or isinstance(value, bool):
        text = json.dumps(value)
    else:
        text = str(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _looks_like_another_type(text: str) -> bool:
    if text in ("", "null", "true", "false"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
