"""Read cached tensors from a file that may be damaged."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from ganexp.console import say


def read_cached(path: Path, keys: Collection[str], device: torch.device) -> dict[str, Any] | None:
    """Return the dictionary in the file `path`; None if the file is missing or damaged.

    If the file is damaged, a message about the damage is printed.

    Args:
        path: a file that torch.save has written.
        keys: the keys that the dictionary must have.
        device: device on which the tensors are returned.
    """
    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except Exception:  # the type of the error depends on the damage
        content = None
    if isinstance(content, dict) and content.keys() == set(keys):
        return content
    say(f"{path} is damaged: its content is computed again")
    return None
