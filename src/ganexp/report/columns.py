"""The columns of a report. Each column is one score under one protocol at one evaluation."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from ganexp.report.evaluated import EVALUATED, UNKNOWN_PROTOCOL
from ganexp.report.grouping import Configuration
from ganexp.report.run import Run
from ganexp.report.score_info import UNKNOWN, ScoreInfo

LAST = "last"
BEST = "best"  # the evaluation of the best checkpoint, which was chosen by its score
SHOWN_EVALUATIONS = (LAST, BEST)  # evaluations of a training
# the reasons that the texts of `Column.lacking` state after the number of seeds
NOT_FINITE = "had no finite score"
NOT_EVALUATED = "had no score from ganexp evaluate"
PHRASES = {LAST: "last evaluation", BEST: "best evaluation", EVALUATED: "ganexp evaluate"}


@dataclass(frozen=True)
class Column:
    """One score under one protocol at one evaluation.

    Attributes:
        score: the name of the score in run.json.
        evaluation: "best" or "last" for the training; for `ganexp evaluate`, a text that begins with "evaluated".
        protocol: the id of the protocol.
        letter: the letter for the protocol in the report; "" if `protocol_letters` gives the protocol no letter.
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

    @property
    def phrase(self) -> str:
        """Return the score as part of a sentence, such as "fid_classifier (last evaluation)"."""
        of_checkpoint = f"{PHRASES[EVALUATED]} of {self.evaluation.removeprefix(f'{EVALUATED} ')}.ckpt"
        return f"{with_letter(self.score, self.letter)} ({PHRASES.get(self.evaluation, of_checkpoint)})"

    @property
    def is_evaluated(self) -> bool:
        """Return whether the scores are those of `ganexp evaluate`."""
        return self.evaluation not in SHOWN_EVALUATIONS

    def coverage(self, configurations: Iterable[Configuration]) -> tuple[int, int]:
        """Return how many of `configurations`, and how many of their counted runs, have this score."""
        counts = [len(self.values(configuration)) for configuration in configurations]
        return sum(map(bool, counts)), sum(counts)

    def lacking(self, configuration: Configuration) -> dict[str, str]:
        """Return how many seeds lack this score at this evaluation under all protocols, as one text for each reason.

        Args:
            configuration: the configuration. If none of its seeds has a value in this column, the result is empty.

        Returns:
            A text for each reason, such as "1 of 4 seeds had no finite score" for the reason NOT_FINITE. The other
            reason is NOT_EVALUATED.
        """
        runs = configuration.counted if self.values(configuration) else []
        lacking = [run for run in runs if all(self.score not in scores for scores in run.all_scores(self.evaluation))]
        computed = sum(not self.is_evaluated or run.was_evaluated(self.evaluation, self.score) for run in lacking)
        counts = {NOT_EVALUATED: len(lacking) - computed, NOT_FINITE: computed}
        return {reason: f"{count} of {len(runs)} seeds {reason}" for reason, count in counts.items() if count}

    def doubts(self, configuration: Configuration) -> str:
        """Return as text why only the better seeds of `configuration` may have scores; "" if there is no reason."""
        return " and ".join(filter(None, [configuration.ended_early, *self.lacking(configuration).values()]))

    def values(self, configuration: Configuration) -> dict[Hashable, float]:
        """Return the scores that the counted runs of `configuration` have in this column; the keys are the seeds."""
        scores = {run.seed: run.scores_under(self.evaluation, self.protocol) for run in configuration.counted}
        return {seed: values[self.score] for seed, values in scores.items() if self.score in values}


def with_letter(name: str, letter: str | None) -> str:
    """Return the name of a score, followed by the letter of its protocol if there is one."""
    return f"{name} [{letter}]" if letter else name


def protocol_letters(runs: Sequence[Run]) -> dict[str, str]:
    """Return the letter of each protocol, A for the most common one; the keys are the ids of the protocols.

    The protocols of trainings get letters if the trainings have several protocols. The protocols of `ganexp evaluate`
    get letters if it has computed the same score under several protocols. The letter of UNKNOWN_PROTOCOL is the
    question mark.
    """
    training = Counter(run.protocol_id for run in runs if run.has_scores)
    evaluated = Counter(each.protocol_id for run in runs for each in run.evaluated)
    counts = (training if len(training) > 1 else Counter()) + (evaluated if _differ_in_protocol(runs) else Counter())
    known = [protocol for protocol, _ in counts.most_common() if protocol != UNKNOWN_PROTOCOL]
    letters = {protocol: _letter(place) for place, protocol in enumerate(known)}
    if UNKNOWN_PROTOCOL in counts:
        letters[UNKNOWN_PROTOCOL] = "?"
    return letters


def _differ_in_protocol(runs: Iterable[Run]) -> bool:
    """Return whether `ganexp evaluate` has computed a score under several protocols."""
    pairs = {(score, each.protocol_id) for run in runs for each in run.evaluated for score in each.scores}
    return any(count > 1 for count in Counter(score for score, _ in pairs).values())


def score_columns(
    configurations: Iterable[Configuration], letters: dict[str, str], score_info: dict[str, ScoreInfo]
) -> list[Column]:
    """Return a column for each score of the counted runs, sorted by protocol, then as in `score_info`.

    For each score, the column of `ganexp evaluate` stands before the column of the last evaluation. The columns of the
    best evaluation are at the end, because this evaluation was chosen by its score.
    """
    runs = [run for configuration in configurations for run in configuration.counted]
    keys = {
        (run.protocol_id, score, shown)
        for run in runs
        for evaluation in SHOWN_EVALUATIONS
        for score in run.scores[evaluation]
        for shown in SHOWN_EVALUATIONS
    }
    keys |= {
        (each.protocol_id, score, each.evaluation) for run in runs for each in run.evaluated for score in each.scores
    }
    positions = {score: place for place, score in enumerate(score_info)}

    def order(key: tuple[str, str, str]) -> tuple[bool, str, int, str, bool, str, str]:
        protocol, score, evaluation = key
        is_of_training = evaluation in SHOWN_EVALUATIONS
        place = positions.get(score, len(positions))
        return evaluation == BEST, letters.get(protocol, ""), place, score, is_of_training, evaluation, protocol

    return [
        Column(score, evaluation, protocol, letters.get(protocol, ""), score_info.get(score, UNKNOWN))
        for protocol, score, evaluation in sorted(keys, key=order)
        if is_score(score, score_info)
    ]


def preferred(columns: Sequence[Column], configurations: Sequence[Configuration]) -> list[Column]:
    """Return the columns by which configurations are compared.

    If `ganexp evaluate` has computed a score for every counted run that has this score from its training, the columns
    of this score from the training are left out. The reason is that the samples of these columns come from the same
    latents as the samples by which the best checkpoint was chosen.
    """
    covered = {
        column.score for column in columns if column.is_evaluated and _is_complete(column, columns, configurations)
    }
    return [column for column in columns if column.is_evaluated or column.score not in covered]


def _is_complete(column: Column, columns: Sequence[Column], configurations: Sequence[Configuration]) -> bool:
    """Return whether `column` has a value for every counted run that has the score of `column` from its training."""
    others = [other for other in columns if other.score == column.score and not other.is_evaluated]
    for configuration in configurations:
        seeds = {seed for other in others for seed in other.values(configuration)}
        if not seeds <= column.values(configuration).keys():
            return False
    return True


def is_score(name: str, score_info: dict[str, ScoreInfo]) -> bool:
    """Return whether an entry of a run's scores is a score, and not the step, a deviation or an interval limit."""
    return name != "step" and score_info.get(name, UNKNOWN).spread_of is None


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else f"P{place + 1}"
