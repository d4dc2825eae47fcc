"""Read the scores that `ganexp evaluate` has written to a run directory, which may come from an untrusted source."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganexp.report.score_info import ScoreInfo, read_score_info
from ganexp.report.values import as_dict, flatten, is_number, not_numbers, plain

EVALUATED = "evaluated"
# Files that `ganexp evaluate` writes to a run directory. Before the suffix, their names have -EXTRACTOR if the command
# line sets the metrics, and -CHECKPOINT if the checkpoint is not the best one.
FILES = "scores*.json"
PICTURES = ("nearest*.png", "diagnostics*.png")
MAX_NAME = 40  # characters of the name of a checkpoint
UNKNOWN_PROTOCOL = "?"


@dataclass(frozen=True)
class Evaluated:
    """The content of one file of scores.

    Attributes:
        file: the name of the file.
        evaluation: "evaluated" for the best checkpoint, "evaluated NAME" for another one, such as "evaluated last".
        step: the step of the checkpoint; None if it is not recorded.
        scores: the finite scores, with their names as keys.
        score_info: the information about the scores, including those that are not finite.
        protocol: the settings under which the scores were measured; the keys are dotted.
        device: the name of the device that computed the scores; None if it is not recorded.
        time: the time at which the scores were computed, in ISO format and UTC; "" if it is not recorded.
    """

    file: str
    evaluation: str
    step: float | None
    scores: dict[str, float]
    score_info: dict[str, ScoreInfo]
    protocol: dict[str, Any]
    device: str | None = None
    time: str = ""

    @property
    def protocol_id(self) -> str:
        """Return the id of the protocol; scores with the same id are comparable."""
        return str(self.protocol.get("id", UNKNOWN_PROTOCOL))

    @property
    def title(self) -> str:
        """Return the evaluation with its file, step and number of samples."""
        step = "" if self.step is None else f", step {self.step:,}"
        samples = self.protocol.get("samples")
        number = f", {samples:,} samples" if is_number(samples) else ""
        return f"{self.evaluation} ({self.file}{step}{number})"


def read_evaluated(directory: Path, metadata: Mapping[str, Any]) -> tuple[list[Evaluated], list[str]]:
    """Return the evaluations in a run directory, and warnings about files that are not used.

    Args:
        directory: the run directory.
        metadata: the content of run.json in this directory.
    """
    found, warnings = [], []
    for path in sorted(directory.glob(FILES)):
        name = plain(path.name)
        try:
            record = as_dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, RecursionError) as error:
            warnings.append(f"{name} cannot be read: {plain(error)}")
            continue
        if is_outdated(record, metadata):
            warnings.append(f"{name} is older than the end of the training, and is not shown: evaluate the run again")
        else:
            found.append(_evaluated(name, record))
            if names := not_numbers(record.get("scores")):
                warnings.append(f"not finite in {name}, so not included in means: {names}")
    return [evaluated for evaluated in found if evaluated.scores or evaluated.score_info], warnings


def is_outdated(record: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """Return whether scores were computed before their run's training ended, for example before the run was resumed."""
    evaluated, ended = record.get("time"), metadata.get("ended")
    return isinstance(evaluated, str) and isinstance(ended, str) and evaluated < ended


def _evaluated(name: str, record: Mapping[Any, Any]) -> Evaluated:
    checkpoint = plain(Path(str(record.get("checkpoint") or "best.ckpt")).stem, MAX_NAME)
    step = record.get("step")
    return Evaluated(
        name,
        EVALUATED if checkpoint == "best" else f"{EVALUATED} {checkpoint}",
        step if is_number(step) else None,
        {plain(score): value for score, value in as_dict(record.get("scores")).items() if is_number(value)},
        read_score_info(record.get("score_info")),
        {key: value for key, value in flatten(record.get("protocol")) if value is not None},
        plain(record["device"]) if isinstance(record.get("device"), str) else None,
        plain(record.get("time") or ""),
    )
