"""Declare the allowed values of schema fields, and check the values of a config against them.

This module must not import torch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import Field, field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, get_args

from omegaconf import MISSING

from ganexp.config.annotations import is_data, is_node, show, violations

NODES = {"nodes": True}  # metadata of a field that maps names to nodes with a `_target_`; a null node is left out
NODE = {"node": True}  # metadata of a field that holds a node
NODE_OR_NULL = {"node": False}  # metadata of a field that holds a node or null


def limits(annotation: Any) -> dict[str, Any]:
    """Return the metadata of a field whose values must be valid for `annotation`."""
    return {"annotation": annotation}


def limited(annotation: Any, default: Any = MISSING) -> Any:
    """Return a field whose values must be valid for `annotation`."""
    return field(default=default, metadata=limits(annotation))


def field_violations(values: Mapping[str, Any], schema: type, key: str = "") -> Iterator[str]:
    """Yield a line for each of the plain `values` that the fields of `schema` do not allow.

    Args:
        values: a resolved config, or the part of it below `key`.
        schema: the dataclass that declares the fields; any other class allows everything.
        key: the dotted key of the values in the config; empty for the root.
    """
    if not is_dataclass(schema):
        return
    for field_ in fields(schema):
        if field_.name not in values:
            continue
        value, name = values[field_.name], f"{key}.{field_.name}" if key else field_.name
        if field_.metadata.get("nodes"):
            yield from _node_violations(value, name)
        elif "node" in field_.metadata:
            yield from _single_node_violations(value, name, is_needed=field_.metadata["node"])
        elif "annotation" in field_.metadata:
            yield from violations(value, field_.metadata["annotation"], name)
        elif is_data(field_.type):
            yield from violations(value, field_.type, name)
        elif isinstance(value, Mapping):
            yield from field_violations(value, _schema_of(field_), name)


def node_violations(values: Mapping[str, Any], schema: type, key: str = "") -> Iterator[str]:
    """Yield only those lines of `field_violations` that are about a missing node.

    Because of a missing node, the interpolation of another setting may be impossible to resolve.

    Args:
        values: a config, which may have interpolations, or the part of it below `key`.
        schema: the dataclass that declares the fields.
        key: the dotted key of the values in the config; empty for the root.
    """
    for field_ in fields(schema) if is_dataclass(schema) else ():
        value, name = values.get(field_.name), f"{key}.{field_.name}" if key else field_.name
        if field_.name in values and "node" in field_.metadata and not (isinstance(value, str) and "${" in value):
            yield from _single_node_violations(value, name, is_needed=field_.metadata["node"])
        elif isinstance(value, Mapping):
            yield from node_violations(value, _schema_of(field_), name)


def _schema_of(field_: Field) -> type:
    """Return the dataclass that is the type of a field, or part of its union type; object if there is no dataclass."""
    members = get_args(field_.type) or (field_.type,)
    return next((member for member in members if isinstance(member, type) and is_dataclass(member)), object)


def _single_node_violations(value: Any, key: str, is_needed: bool) -> Iterator[str]:
    """Yield a line if `value` does not describe an object."""
    if not is_node(value) and (is_needed or value is not None):
        otherwise = "" if is_needed else ", or null"
        yield f"{key}={show(value)}: must be a node with a _target_{otherwise}. Choose an option of its group instead"


def _node_violations(nodes: Any, key: str) -> Iterator[str]:
    """Yield a line for each entry that does not describe an object, for example because its name is misspelled."""
    if not isinstance(nodes, Mapping):
        yield f"{key}={show(nodes)}: must be a mapping from names to nodes with a _target_"
        return
    complete = [str(name) for name, node in nodes.items() if is_node(node)]
    for name, node in nodes.items():
        if node is None or is_node(node):
            continue
        close = get_close_matches(str(name), complete, n=1)
        hint = f"; did you mean {key}.{close[0]}?" if close else ""
        yield f"{key}.{name}={show(node)}: has no _target_, which names the class or function to build{hint}"
