"""List what can be chosen: config options with their comments, and layers of networks with their docstrings.

This module must not import torch.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganexp.config.comments import file_header, first_sentence
from ganexp.config.composition import CONF, PACKAGE, group_options

EXPERIMENTS = "experiment"
LAYERS = "layers"
SYNONYMS = {"datasets": "data"}


@dataclass(frozen=True)
class Entry:
    """An option of a config group, or a layer of networks.

    Attributes:
        name: name of the option, or MODULE.CLASS for a layer.
        description: a sentence about the option or the layer.
    """

    name: str
    description: str


def groups(folders: Sequence[Path]) -> dict[str, list[str]]:
    """Return the options of each config group of a training run, including the experiments as ARTICLE/CASE.

    Args:
        folders: the directories of config files: ganexp's own first, then the user's.
    """
    found = group_options("train", folders)
    directories = [group for group in found if group.split("/")[0] == EXPERIMENTS]
    cases = [
        f"{group.removeprefix(EXPERIMENTS)}/{name}".lstrip("/") for group in directories for name in found.pop(group)
    ]
    return dict(sorted((found | {EXPERIMENTS: cases}).items()))


def find_group(topic: str, names: Sequence[str]) -> str | None:
    """Return the group that a topic names, in the singular or plural; None if no group has this name.

    Example:
        >>> find_group("penalties", ["loss", "loss/penalty"])
        'loss/penalty'
    """
    topic = SYNONYMS.get(topic, topic)
    for group in names:
        last = group.rpartition("/")[2]
        if topic in (group, last, f"{last}s", f"{last}es", f"{last[:-1]}ies"):
            return group
    return None


def option_file(group: str, option: str, folders: Sequence[Path]) -> Path:
    """Return the YAML file of an option, from the first directory that has such a file."""
    return next(path for folder in folders if (path := folder / group / f"{option}.yaml").exists())


def header(group: str, option: str, folders: Sequence[Path] = (CONF,)) -> dict[str, str]:
    """Return the parts of the comment at the start of an option's file, see `file_header`."""
    return file_header(option_file(group, option, folders).read_text(encoding="utf-8"))


def entries(group: str, folders: Sequence[Path]) -> list[Entry]:
    """Return the options of a group with the first sentence of the comment in each option's file."""
    return [Entry(name, first_sentence(header(group, name, folders)[""])) for name in groups(folders)[group]]


def layers() -> list[Entry]:
    """Return the layers and blocks that networks are made of, with the first sentence of their docstrings."""
    return sorted((Entry(name, first_sentence(text)) for name, text in _layer_docstrings()), key=lambda one: one.name)


def _layer_docstrings() -> Iterator[tuple[str, str]]:
    """Yield MODULE.CLASS and the docstring of each class of `ganexp.models` that no config names as a network."""
    configs = "\n".join(file.read_text(encoding="utf-8") for file in CONF.rglob("*.yaml"))
    for file in (PACKAGE / "models").glob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ClassDef) or not node.bases or node.name.startswith("_"):
                continue
            if f"_target_: ganexp.models.{file.stem}.{node.name}" not in configs:
                yield f"{file.stem}.{node.name}", ast.get_docstring(node) or ""
