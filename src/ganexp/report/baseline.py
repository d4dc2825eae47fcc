"""Read the scores that `ganexp evaluate real=SPLIT output=DIRECTORY` has computed for real images."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganexp.report.values import as_dict, flatten, is_number, plain

FILE = "scores.json"
OWN_KEYS = ("id", "samples", "data")  # protocol keys whose values may differ between real images and samples
REFERENCES = "references."


@dataclass(frozen=True)
class Baseline:
    """The scores of the real images of a split. A perfect generator would reach these scores.

    Attributes:
        split: the name of the split.
        protocol: the settings under which the scores were measured; the keys are dotted.
        scores: the scores, with their names as keys.
    """

    split: str
    protocol: dict[str, Any]
    scores: dict[str, float]

    @property
    def title(self) -> str:
        """Return the number of images and their split, such as "359 real images (test)"."""
        samples = self.protocol.get("samples")
        return f"{f'{samples:,} ' if is_number(samples) else ''}real images ({self.split})"

    def suits(self, protocol: Mapping[str, Any]) -> bool:
        """Return whether the extractor and the reference images are the same as in `protocol`.

        The number of real images may differ from the number of samples.
        """
        own = {key: value for key, value in self.protocol.items() if key not in OWN_KEYS}
        is_equal = all(protocol.get(key) == value for key, value in own.items())
        return bool(own) and is_equal and _first_reference(own) == _first_reference(protocol)


def find_baselines(directories: Sequence[str | Path]) -> list[Baseline]:
    """Read the scores of real images from files in `directories` and their subdirectories, except run directories.

    A file is read once, even if it is in several of the directories.
    """
    found: dict[Path, Baseline | None] = {}
    for directory in directories:
        for path, subdirectories, files in os.walk(Path(directory).expanduser().resolve()):
            subdirectories.sort()
            if FILE in files and "run.json" not in files:
                found[Path(path)] = _read(Path(path) / FILE)
            if "run.json" in files:
                subdirectories.clear()
    return list(filter(None, found.values()))


def _read(path: Path) -> Baseline | None:
    """Return the scores of real images in a file; None if the file has other scores or cannot be read."""
    try:
        record = as_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record.get("real"), str) or record.get("images") is not None:
        return None
    scores = {plain(name): value for name, value in as_dict(record.get("scores")).items() if is_number(value)}
    return Baseline(plain(record["real"]), dict(flatten(record.get("protocol"))), scores)


def _first_reference(protocol: Mapping[str, Any]) -> str | None:
    """Return the key of a protocol's first reference; scores that use this reference have no split in their names."""
    return next((key for key in protocol if key.startswith(REFERENCES)), None)
