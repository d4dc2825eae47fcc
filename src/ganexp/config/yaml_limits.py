"""Refuse YAML texts that a YAML reader would never finish reading, or that would crash the reader.

This module must not import torch.
"""

import yaml

MAX_DEPTH = 50  # levels of lists and mappings
MAX_VALUES = 100_000  # counted after each alias is replaced by the values that it stands for


def refuse_extreme_yaml(text: str) -> None:
    """Check the depth and the size of a YAML text without building its values. Texts that are not YAML are accepted.

    Raises:
        ValueError: the text is nested too deeply, an alias contains itself, or there are too many values, including
            those that the aliases stand for.
    """
    open_nodes: list[list] = []  # anchor and number of values of each list or mapping that has not ended
    sizes: dict[str, int] = {}  # number of values of each node with an anchor
    try:
        for event in yaml.parse(text, yaml.CSafeLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append([event.anchor, 1])
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, size = open_nodes.pop()
                _add(open_nodes, sizes, anchor, size)
            elif isinstance(event, yaml.AliasEvent):
                _refuse_cycle(open_nodes, event.anchor)
                _add(open_nodes, sizes, None, sizes.get(str(event.anchor), 1))
            elif isinstance(event, yaml.ScalarEvent):
                _add(open_nodes, sizes, event.anchor, 1)
            if len(open_nodes) > MAX_DEPTH:
                raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    except yaml.YAMLError:
        return


def _refuse_cycle(open_nodes: list[list], anchor: str | None) -> None:
    if any(name == anchor for name, _ in open_nodes):
        raise ValueError(f"*{anchor} contains itself")


def _add(open_nodes: list[list], sizes: dict[str, int], anchor: str | None, size: int) -> None:
    """Add the `size` of a finished node to the size of its parent, and store `size` if the node has an `anchor`."""
    if anchor is not None:
        sizes[anchor] = size
    if open_nodes:
        open_nodes[-1][1] += size
        if open_nodes[-1][1] > MAX_VALUES:
            raise ValueError(f"it has more than {MAX_VALUES:,} values, including those that its aliases stand for")
