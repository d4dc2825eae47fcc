"""The content of a report, independent of its format as a table or a page."""

import math
from dataclasses import dataclass
from itertools import chain

from ganexp.report.columns import Column, preferred, protocol_letters, score_columns
from ganexp.report.comparison import MAX_ALL_PAIRS, SIGNIFICANCE, Comparison, compare
from ganexp.report.evaluated import UNKNOWN_PROTOCOL
from ganexp.report.grouping import Group, differing_keys, group_runs
from ganexp.report.labels import set_labels
from ganexp.report.run import Run
from ganexp.report.score_info import ScoreInfo, merge_score_info
from ganexp.report.statistics import LEVEL_TEXT, Summary, summarize

SCORES_TEXT = (
    f"Mean ± half of the {LEVEL_TEXT} interval over seeds (Student's t). Only finished runs count; of several runs "
    'with the same settings and seed only the newest counts. "Best" is the evaluation that chose the best checkpoint. '
    'It was chosen by a score of the same samples, so its scores are slightly too good; those of "last" are not.'
)
EVALUATED_TEXT = (
    '"Evaluated" are the scores of ganexp evaluate: of other latents than those of training, not used to choose the '
    "checkpoint, and measured under a protocol of their own. Comparisons use them instead of best and last, for scores "
    "that were evaluated for every run that counts."
)
COMPARISONS_TEXT = (
    "Differences are paired by seed (paired t test) if all seeds of one group are among the other's; otherwise the "
    "test is Welch's t. p is Holm's, corrected for all pairs of groups and all scores. Not separable means that the "
    f"{LEVEL_TEXT} interval of the difference includes zero, that a group has a single seed, or that p is "
    f"{SIGNIFICANCE} or more."
)
BEST_ONLY_TEXT = (
    f"More than {MAX_ALL_PAIRS} groups have scores: each is compared with the group of the best mean only (of the "
    "lowest mean, where it is not known which direction is better)."
)
UNKNOWN_PROTOCOL_TEXT = (
    "These runs do not record their protocol (extractor, reference images, number of samples). They are compared as if "
    "they shared one."
)


@dataclass(frozen=True)
class Row:
    """A group and the summary of its scores in each column."""

    group: Group
    cells: dict[Column, Summary]


@dataclass(frozen=True)
class ProtocolNote:
    """The differences between a protocol and the other protocols of a report.

    Attributes:
        letter: the letter for the protocol in the report.
        values: the values of the keys that differ between protocols.
    """

    letter: str
    values: dict[str, str]


@dataclass
class Report:
    """The content of a report.

    Attributes:
        runs: all runs, sorted by path.
        rows: a row for each group of runs.
        columns: a column for each score, protocol and evaluation.
        preferred: the columns by which groups are compared.
        settings: the keys of the settings in which the groups differ.
        letters: letters of the protocols by id; empty if all runs share one.
        score_info: the information about the scores in run.json.
        comparisons: the comparisons of pairs of groups by each score.
    """

    runs: list[Run]
    rows: list[Row]
    columns: list[Column]
    preferred: list[Column]
    settings: list[str]
    letters: dict[str, str]
    score_info: dict[str, ScoreInfo]
    comparisons: list[Comparison]

    @classmethod
    def from_runs(cls, runs: list[Run]) -> "Report":
        """Return the report on `runs`."""
        groups = group_runs(runs)
        set_labels(groups)
        letters = protocol_letters(runs)
        of_evaluated = (each.score_info for run in runs for each in run.evaluated)
        score_info = merge_score_info(chain((run.score_info for run in runs), of_evaluated))
        columns = score_columns(groups, letters, score_info)
        compared = preferred(columns, groups)
        return cls(
            runs,
            rows=[_summarize(group, columns) for group in groups],
            columns=columns,
            preferred=compared,
            settings=differing_keys([group.settings for group in groups]),
            letters=letters,
            score_info=score_info,
            comparisons=compare(groups, compared),
        )

    @property
    def groups(self) -> list[Group]:
        """Return the groups of runs in the order of the rows."""
        return [row.group for row in self.rows]

    @property
    def uncounted(self) -> list[Run]:
        """Return the runs that are not included in any mean."""
        counted = {run.path for group in self.groups for run in group.counted}
        return [run for run in self.runs if run.path not in counted]

    @property
    def lacks_pairs(self) -> bool:
        """Return whether there are too many groups to compare all pairs."""
        return any(comparison.pairs > math.comb(MAX_ALL_PAIRS, 2) for comparison in self.comparisons)

    @property
    def protocol_is_unknown(self) -> bool:
        """Return whether there are scores, but no run has recorded how they were measured."""
        return {run.protocol_id for run in self.runs if run.has_scores} == {UNKNOWN_PROTOCOL}

    @property
    def scores_text(self) -> str:
        """Return how to read the scores."""
        is_evaluated = any(column.is_evaluated for column in self.columns)
        return f"{SCORES_TEXT} {EVALUATED_TEXT}" if is_evaluated else SCORES_TEXT

    def protocol_notes(self) -> list[ProtocolNote]:
        """Return how the protocols differ; empty if all runs share one."""
        protocols = {run.protocol_id: run.protocol for run in self.runs}
        protocols |= {each.protocol_id: each.protocol for run in self.runs for each in run.evaluated}
        protocols = {name: protocol for name, protocol in protocols.items() if name in self.letters}
        known = [protocol for name, protocol in protocols.items() if name != UNKNOWN_PROTOCOL]
        keys = [key for key in differing_keys(known) if key != "id"]
        notes = []
        for name, letter in self.letters.items():
            values = {key: str(protocols[name].get(key, "-")) for key in keys} if name != UNKNOWN_PROTOCOL else {}
            notes.append(ProtocolNote(letter, values or {"protocol": "not recorded"}))
        return notes

    def directions(self) -> str:
        """Return one or two sentences about which direction is better for each score."""
        names: dict[str, dict[str, None]] = {"lower": {}, "higher": {}, "": {}}
        for column in self.columns:
            names[column.info.direction][column.score] = None
        sentences = {
            "Lower is better": names["lower"],
            "Higher is better": names["higher"],
            "Not recorded which direction is better": names[""],
        }
        return " ".join(f"{text}: {', '.join(scores)}." for text, scores in sentences.items() if scores)


def _summarize(group: Group, columns: list[Column]) -> Row:
    return Row(group, {column: summarize(list(column.values(group).values())) for column in columns})
