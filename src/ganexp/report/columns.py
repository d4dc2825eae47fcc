"""The columns of a report. Each column is one score under one protocol at one evaluation."""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from ganexp.report.grouping import Group
from ganexp.report.run import UNKNOWN_PROTOCOL, Run
from ganexp.report.score_info import UNKNOWN, ScoreInfo

SHOWN_EVALUATIONS = ("best", "last")


@dataclass(frozen=True)
class Column:
    """One score under one protocol at one evaluation.

    Attributes:
        score: the name of the score in run.json.
        evaluation: "best" or "last".
        protocol: the id of the protocol.
        letter: the letter for the protocol in the report; "" if all runs share one protocol.
        info: the information about the score in run.json.
    """

    score: str
    evaluation: str
    protocol: str
    letter: str = ""
    info: ScoreInfo = UNKNOWN

    @property
    def title(self) -> str:
        """Return the heading of the column."""
        return f"{with_letter(self.score, self.letter)} {self.evaluation}"

    def values(self, group: Group) -> dict[Hashable, float]:
        """Return the score by seed for the counted runs in `group` that have this score under this protocol."""
        return {
            run.seed: run.scores[self.evaluation][self.score]
            for run in group.counted
            if self.score in run.scores[self.evaluation] and run.protocol_id == self.protocol
        }


def with_letter(name: str, letter: str | None) -> str:
    """Return the name of a score, followed by the letter of its protocol if there is one."""
    return f"{name} [{letter}]" if letter else name


def protocol_letters(runs: Iterable[Run]) -> dict[str, str]:
    """Return a letter for each protocol id, A for the most common; empty if all runs with scores share one protocol.

    The letter of UNKNOWN_PROTOCOL is the question mark.
    """
    counts = Counter(run.protocol_id for run in runs if run.has_scores)
    if len(counts) < 2:
        return {}
    known = [protocol for protocol, _ in counts.most_common() if protocol != UNKNOWN_PROTOCOL]
    letters = {protocol: _letter(place) for place, protocol in enumerate(known)}
    if UNKNOWN_PROTOCOL in counts:
        letters[UNKNOWN_PROTOCOL] = "?"
    return letters


def score_columns(groups: Iterable[Group], letters: dict[str, str], score_info: dict[str, ScoreInfo]) -> list[Column]:
    """Return a column for each score of the counted runs: by protocol, then in the order of `score_info`."""
    keys = {
        (run.protocol_id, score)
        for group in groups
        for run in group.counted
        for evaluation in SHOWN_EVALUATIONS
        for score in run.scores[evaluation]
        if is_score(score, score_info)
    }
    positions = {score: place for place, score in enumerate(score_info)}

    def order(key: tuple[str, str]) -> tuple[str, int, str]:
        protocol, score = key
        return letters.get(protocol, ""), positions.get(score, len(positions)), score

    return [
        Column(score, evaluation, protocol, letters.get(protocol, ""), score_info.get(score, UNKNOWN))
        for protocol, score in sorted(keys, key=order)
        for evaluation in SHOWN_EVALUATIONS
    ]


def is_score(name: str, score_info: dict[str, ScoreInfo]) -> bool:
    """Return whether an entry of a run's scores is a score, and not the step, a deviation or an interval end."""
    return name != "step" and score_info.get(name, UNKNOWN).spread_of is None


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else f"P{place + 1}"
