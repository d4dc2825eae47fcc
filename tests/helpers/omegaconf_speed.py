"""Let OmegaConf create and copy nodes faster, with the same result: the tests compose thousands of configs.

OmegaConf checks every value that it wraps in a node, which takes a third of the time of a short command. Here, nodes
for plain values are filled without these checks, and nodes are copied attribute by attribute. `config_cache` calls
`install` here; separate processes that do not call it are not affected.
"""

import copy
import functools
from collections.abc import Callable
from typing import Any

import hydra.version
import pytest
from omegaconf import DictConfig, ListConfig, Node, _utils, omegaconf
from omegaconf.base import Box, ContainerMetadata, Metadata
from omegaconf.nodes import AnyNode, BooleanNode, FloatNode, IntegerNode, StringNode

VALUES = (bool, bytes, float, int, str, type(None))
NODES = (AnyNode, BooleanNode, FloatNode, IntegerNode, StringNode)
WITHOUT_FIELDS = {dict, list, tuple, DictConfig, ListConfig, *VALUES, *NODES}


def install(patches: pytest.MonkeyPatch) -> None:
    """Replace the slow functions of OmegaConf and Hydra, until `patches` are undone."""
    patches.setattr(Metadata, "__deepcopy__", _copy_metadata, raising=False)
    for node in NODES:
        patches.setattr(node, "__deepcopy__", _copy_value_node)
    patches.setattr(omegaconf, "_node_wrap", _quick_if_plain(omegaconf._node_wrap))
    for name in ("is_attr_class", "is_dataclass"):
        patches.setattr(_utils, name, _false_if_plain(getattr(_utils, name)))
    patches.setattr(hydra.version, "_get_version", functools.cache(hydra.version._get_version))


def _copy_metadata(metadata: Metadata, memo: dict[int, Any]) -> Metadata:
    """Return a copy of the metadata; attributes that are types are shared, not copied."""
    result = object.__new__(type(metadata))
    result.__dict__.update(metadata.__dict__)
    result.flags = copy.copy(metadata.flags)
    result.resolver_cache = copy.deepcopy(metadata.resolver_cache, memo)
    return result


def _copy_value_node(node: Any, memo: dict[int, Any]) -> Any:
    """Return a copy of the node, but do not create a node with the default value first."""
    result = object.__new__(type(node))
    result.__dict__["_flags_cache"] = None
    node._deepcopy_impl(result, memo)
    return result


def _false_if_plain(function: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return a function that is False for plain values, and otherwise asks `function` whether a value has fields."""

    def call(value: Any) -> bool:
        return type(value) not in WITHOUT_FIELDS and function(value)

    return call


def _quick_if_plain(wrap: Callable[..., Node]) -> Callable[..., Node]:
    """Return a function that makes a node quickly if the value is plain and untyped, and otherwise calls `wrap`."""

    def call(parent: Box | None, is_optional: bool, value: Any, key: Any, ref_type: Any = Any) -> Node:
        if ref_type is Any and is_optional and _is_plain(value):
            return _plain_node(parent, value, key)
        return wrap(parent=parent, is_optional=is_optional, value=value, key=key, ref_type=ref_type)

    return call


def _is_plain(value: Any) -> bool:
    """Return whether a value consists of lists, dictionaries and plain values, without interpolations."""
    kind = type(value)
    if kind is str:
        return "${" not in value
    if kind is dict:
        return all(type(key) is str for key in value) and all(map(_is_plain, value.values()))
    return all(map(_is_plain, value)) if kind is list else kind in VALUES


def _plain_node(parent: Box | None, value: Any, key: Any) -> Node:
    """Return the node that OmegaConf would create for a plain value."""
    kind: Any = {dict: DictConfig, list: ListConfig}.get(type(value), AnyNode)
    node = object.__new__(kind)
    node.__dict__.update(_parent=parent, _flags_cache=None)
    if kind is AnyNode:
        node.__dict__["_metadata"] = Metadata(ref_type=Any, object_type=None, optional=True, key=key)
        node._val = value
        return node
    node.__dict__["_metadata"] = ContainerMetadata(
        ref_type=Any,
        object_type=type(value),
        optional=True,
        key=key,
        key_type=Any if kind is DictConfig else int,
        element_type=Any,
    )
    if kind is DictConfig:
        node.__dict__["_content"] = {name: _plain_node(node, item, name) for name, item in value.items()}
    else:
        node.__dict__["_content"] = [_plain_node(node, item, index) for index, item in enumerate(value)]
    return node
