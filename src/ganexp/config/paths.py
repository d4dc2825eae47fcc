"""Make the paths of a config absolute, so that a run finds its files from every working directory.

This module must not import torch.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from ganexp.errors import UserError

PATH = {"path": True}  # metadata of a field that holds the path of a file or directory, or null


def path_keys(schema: type, prefix: str = "") -> Iterator[str]:
    """Yield the dotted key of each field of `schema` that holds a path; nothing if `schema` is not a dataclass."""
    if not is_dataclass(schema):
        return
    for field_ in fields(schema):
        if field_.metadata.get("path"):
            yield f"{prefix}{field_.name}"
        else:
            yield from path_keys(cast(type, field_.type), f"{prefix}{field_.name}.")


def make_absolute(cfg: DictConfig, keys: Iterable[str], directory: str = "") -> None:
    """Make the path at each of the `keys` absolute, if the key has a value; `~` is the home directory.

    Interpolations that refer to these paths then give the absolute paths, too.

    Args:
        cfg: an unresolved config.
        keys: dotted keys.
        directory: the directory from which relative paths start; "": the working directory.
    """
    for key in keys:
        parent, _dot, name = key.rpartition(".")
        node = OmegaConf.select(cfg, parent) if parent else cfg
        if node is None or name not in node or OmegaConf.is_missing(node, name) or node[name] is None:
            continue
        node[name] = absolute(node[name], directory)


def absolute(path: str, directory: str = "") -> str:
    """Return `path` as an absolute path, with `~` expanded; a relative path starts from `directory`."""
    return os.path.abspath(os.path.join(directory, os.path.expanduser(path)))


def moved(values: Any, before: str, after: str) -> Any:
    """Return `values` with the path `before` replaced by `after`, also where `before` is a parent directory of a path.

    Args:
        values: plain values in mappings and lists.
        before: an absolute path.
        after: an absolute path.
    """
    if isinstance(values, Mapping):
        return {key: moved(value, before, after) for key, value in values.items()}
    if isinstance(values, list):
        return [moved(value, before, after) for value in values]
    if isinstance(values, str) and (values == before or values.startswith(before.rstrip("/") + "/")):
        return after + values[len(before) :]
    return values


def relocate_data(cfg: DictConfig, root: str | None, path: str | None) -> DictConfig:
    """Return the resolved config of a run with the new location of its dataset.

    Args:
        cfg: the resolved config.
        root: the new data.root. In the section `data`, every path below the old data.root then starts with the new
            data.root. None keeps the old value.
        path: the new data.path. None keeps the old value.

    Raises:
        UserError: `root` or `path` does not apply to the dataset of this run.
    """
    data = cast(dict[str, Any], OmegaConf.to_container(cfg.data))
    if root is not None:
        data = _relocate(data, "root", root)
        if data["path"] is not None and data["path"] == cfg.data.path and path is None:
            raise UserError(
                f"data.root={root}: the images of this run were not below data.root, but at {cfg.data.path}: "
                "give data.path=…"
            )
    if path is not None:
        if data["path"] is None:
            raise UserError(f"data.path={path}: the dataset of this run lies below data.root: give data.root=…")
        data = _relocate(data, "path", path)
    cfg = cfg.copy()
    cfg.data = data
    return cfg


def _relocate(data: dict[str, Any], key: str, after: str) -> dict[str, Any]:
    return moved(data, data[key], after) | {key: after}
