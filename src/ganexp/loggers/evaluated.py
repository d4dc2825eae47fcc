"""The scores that a logger receives from `ganexp evaluate`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganexp.runs.run_directory import RunDirectory


@dataclass(frozen=True)
class Evaluated:
    """Scores of a run that has ended.

    Attributes:
        run_directory: directory of the run.
        scores: the values of the scores, under their log keys.
        step: step of the checkpoint.
        source: name of the scores, such as scores-inception; later scores with the same name replace these scores.
        settings: the settings of the logger, with the name and the tags of the run.
    """

    run_directory: RunDirectory
    scores: Mapping[str, float]
    step: int
    source: str
    settings: Mapping[str, Any]
