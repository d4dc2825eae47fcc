"""Read cached tensors from a file that may be damaged."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from ganexp.console import say


def read_cached(path: Path, keys: Collection[str], device: torch.device) -> dict[str, Any] | None:
    """Return the dictionary in `path`; None if there is no such file, or if it is damaged. Damage is printed.

    Args:
        path: a file that torch.save has written.
        keys: the keys that the dictionary must have.
        device: device of its tensors.
    """
    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except Exception:  # torch.load raises whatever the damage leads to
        content = None
    if isinstance(content, dict) and content.keys() == set(keys):
        return content
    say(f"{path} is damaged: its content is computed again")
    return None
