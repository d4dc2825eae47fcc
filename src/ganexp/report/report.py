"""The content of a report, independent of its format as a table or a page."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from ganexp.report.baseline import Baseline
from ganexp.report.columns import BEST, Column, preferred, protocol_letters, score_columns
from ganexp.report.comparison import MAX_ALL_PAIRS, SIGNIFICANCE, Comparison, compare
from ganexp.report.evaluated import UNKNOWN_PROTOCOL
from ganexp.report.grouping import Group, differing_keys, group_runs
from ganexp.report.labels import is_in_labels, set_labels
from ganexp.report.main_score import best_run, main_column, main_score_first, sort_by_score
from ganexp.report.run import Run
from ganexp.report.score_info import ScoreInfo, merge_score_info
from ganexp.report.statistics import LEVEL_TEXT, Summary, summarize

SCORES_TEXT = (
    f"Mean ± half of the {LEVEL_TEXT} interval over seeds (Student's t). Only finished runs count; of several runs "
    'with the same settings and seed only the newest counts. "Last" is the last evaluation of the training, "best" '
    "the one of the best checkpoint. The best one was chosen by a score of the same samples, so its scores are "
    "slightly too good."
)
EVALUATED_TEXT = (
    '"Evaluated" are the scores of ganexp evaluate: of other latents, not used to choose the checkpoint, and measured '
    "under a protocol of their own. Where every run that counts has such a score, comparisons use it instead of last "
    "and best."
)
COMPARISONS_TEXT = (
    "Differences are paired by seed (paired t test) if all seeds of one group are among the other's; otherwise the "
    "test is Welch's t. p is Holm's, corrected for all pairs of groups and all scores. Not separable means that the "
    f"{LEVEL_TEXT} interval of the difference includes zero, that a group has a single seed, or that p is "
    f"{SIGNIFICANCE} or more. Where the last checkpoint of every run of both groups is also its best one, they are "
    "compared once."
)
BEST_ONLY_TEXT = (
    f"More than {MAX_ALL_PAIRS} groups have scores: each is compared with the group of the best mean only (of the "
    "lowest mean, where it is not known which direction is better)."
)
MAX_LISTED = 6  # configurations in a sentence
LONG_DIGEST = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b")
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
        rows: a row for each group of runs, the best one by the main score first.
        columns: a column for each score, protocol and evaluation.
        preferred: the columns by which groups are compared.
        main: the column by which groups are ranked; None if there are no scores.
        settings: the keys of the settings in which the groups differ.
        letters: letters of the protocols by id; empty if all runs share one.
        score_info: the information about the scores in run.json, the main score first.
        comparisons: the comparisons of pairs of groups by each score.
        baselines: the scores of real images.
    """

    runs: list[Run]
    rows: list[Row]
    columns: list[Column]
    preferred: list[Column]
    main: Column | None
    settings: list[str]
    letters: dict[str, str]
    score_info: dict[str, ScoreInfo]
    comparisons: list[Comparison]
    baselines: Sequence[Baseline]

    @classmethod
    def from_runs(cls, runs: list[Run], baselines: Sequence[Baseline] = ()) -> "Report":
        """Return the report on `runs`, with the scores of real images if there are any."""
        groups = group_runs(runs)
        set_labels(groups)
        letters = protocol_letters(runs)
        of_evaluated = (each.score_info for run in runs for each in run.evaluated)
        merged = merge_score_info(chain((run.score_info for run in runs), of_evaluated))
        score_info = main_score_first([run for group in groups for run in group.runs], merged)
        columns = score_columns(groups, letters, score_info)
        compared = preferred(columns, groups)
        main = main_column(compared, groups, score_info)
        groups = sort_by_score(groups, main)
        return cls(
            runs,
            rows=[_summarize(group, columns) for group in groups],
            columns=columns,
            preferred=compared,
            main=main,
            settings=differing_keys([group.settings for group in groups]),
            letters=letters,
            score_info=score_info,
            comparisons=compare(groups, compared),
            baselines=baselines,
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
    def best_run(self) -> Run | None:
        """Return the run with the best main score of the best group; None if there are no such scores."""
        has_direction = self.main is not None and self.main.info.higher_is_better is not None
        return best_run(self.groups[0], self.main) if self.main and has_direction and self.groups else None

    @property
    def unselected(self) -> list[Column]:
        """Return the columns to report: preferred ones, without the evaluation that was chosen by its score."""
        return [column for column in self.preferred if column.evaluation != BEST]

    @property
    def unlabelled_settings(self) -> list[str]:
        """Return the keys of the settings in which the groups differ and which their labels do not tell."""
        return [key for key in self.settings if not is_in_labels(key, self.groups)]

    @property
    def tested(self) -> list[Comparison]:
        """Return the comparisons with enough seeds for a test."""
        return [comparison for comparison in self.comparisons if comparison.p is not None]

    @property
    def tested_by_main(self) -> list[Comparison]:
        """Return the comparisons with enough seeds by the main score."""
        return [comparison for comparison in self.tested if comparison.column == self.main]

    @property
    def tested_by_others(self) -> list[Comparison]:
        """Return the comparisons with enough seeds by other scores than the main one."""
        return [comparison for comparison in self.tested if comparison.column != self.main]

    @property
    def untested_text(self) -> str:
        """Return one sentence on the comparisons without enough seeds for a test; "" if all have enough."""
        count = len(self.comparisons) - len(self.tested)
        singles = [group.label for group in self.groups if len(group.counted) == 1]
        if not count:
            return ""
        are = "comparison is" if count == 1 else "comparisons are"
        listed = f" ({'; '.join(singles)})" if 0 < len(singles) <= MAX_LISTED else ""
        return f"{count} {are} left out, because a test needs at least two seeds of both configurations{listed}."

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
            values = {key: _short(protocols[name].get(key, "-")) for key in keys} if name != UNKNOWN_PROTOCOL else {}
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


def _short(value: object) -> str:
    """Return a value of a protocol as text, with digests shortened to eight digits."""
    return LONG_DIGEST.sub(r"\1…", str(value))


def _summarize(group: Group, columns: list[Column]) -> Row:
    return Row(group, {column: summarize(list(column.values(group).values())) for column in columns})
