"""The content of a report, independent of its format as a table or a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ganexp.report.baseline import Baseline
from ganexp.report.columns import BEST, Column, preferred, protocol_letters, score_columns
from ganexp.report.comparison import MAX_ALL_PAIRS, SIGNIFICANCE, Comparison, compare
from ganexp.report.evaluated import UNKNOWN_PROTOCOL
from ganexp.report.few_samples import few_samples
from ganexp.report.grouping import Configuration, differing_keys, group_runs
from ganexp.report.labels import is_in_labels, set_labels
from ganexp.report.main_score import best_run, is_declared, main_column, main_score_first, sort_by_score
from ganexp.report.protocols import protocols_of, short
from ganexp.report.run import Run
from ganexp.report.score_info import ScoreInfo, merge_score_info
from ganexp.report.scoring_devices import scoring_devices
from ganexp.report.statistics import LEVEL_TEXT, Summary, summarize

SCORES_TEXT = (
    f"The mean over seeds ± half of its {LEVEL_TEXT} interval (Student's t). Only finished runs count; of several runs "
    'with the same settings and seed, only the newest counts. "Last" is the last evaluation of the training, and '
    '"best" is the evaluation of the best checkpoint. This evaluation was chosen by its score, so its scores are '
    "slightly too good."
)
EVALUATED_TEXT = (
    '"Evaluated" are the scores of ganexp evaluate. Their samples come from other latents, which were not used to '
    "choose the checkpoint. These scores have a protocol of their own. If every run that counts has a score from "
    'ganexp evaluate, comparisons use it instead of "last" and "best".'
)
COMPARISONS_TEXT = (
    "Differences are paired by seed (paired t test) if one configuration has all seeds of the other one; otherwise "
    f"the test is Welch's t. Not separable means that the {LEVEL_TEXT} interval of the difference includes zero, that "
    f"a configuration has a single seed, or that p is {SIGNIFICANCE} or more. There is no verdict in favour of a "
    "configuration if some of its seeds have no score, because its other seeds may be the better ones. A seed has no "
    "score if all of its runs ended early (failed, died or pruned), or if its finished run lacks a finite score or a "
    "score from ganexp evaluate. If the last checkpoint of every run of both configurations is also the run's best "
    "one, the two are compared only once."
)
ONE_FAMILY_TEXT = (
    "p is corrected by Holm's method over all scores of all pairs of configurations that have at least two seeds each, "
    "because the runs do not declare one main score (metrics.best_by)."
)
TWO_FAMILIES_TEXT = (
    "p is corrected by Holm's method over all pairs of configurations that have at least two seeds each. {} has a "
    "correction of its own, because every run declares this score as its main score (metrics.best_by). All other "
    "scores share one correction."
)
BEST_ONLY_TEXT = (
    f"More than {MAX_ALL_PAIRS} configurations have scores, so each is compared only with one of them: of the "
    "configurations with at least two seeds, the one that has the best mean (the lowest mean, if it is not known which "
    "direction is better). If none has two seeds, it is the best one of all."
)
MAX_LISTED = 6  # configurations in a sentence
UNKNOWN_PROTOCOL_TEXT = (
    "These runs do not record their protocol (extractor, reference images, number of samples). They are compared on "
    "the assumption that they share one protocol."
)


@dataclass(frozen=True)
class Row:
    """A configuration and the summary of its scores in each column."""

    configuration: Configuration
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
        rows: a row for each configuration of runs, the best one by the main score first.
        columns: a column for each score, protocol and evaluation.
        preferred: the columns by which configurations are compared.
        main: the column by which configurations are ranked; None if there are no scores.
        main_is_declared: whether every run that counts names the score of `main` in `metrics.best_by`.
        settings: the keys of the settings in which the configurations differ.
        letters: the letter of each protocol, with the ids of the protocols as keys; empty if all runs share a protocol.
        score_info: the information about the scores in run.json, the main score first.
        comparisons: the comparisons of pairs of configurations by each score.
        baselines: the scores of real images.
    """

    runs: list[Run]
    rows: list[Row]
    columns: list[Column]
    preferred: list[Column]
    main: Column | None
    main_is_declared: bool
    settings: list[str]
    letters: dict[str, str]
    score_info: dict[str, ScoreInfo]
    comparisons: list[Comparison]
    baselines: Sequence[Baseline]

    @classmethod
    def from_runs(cls, runs: list[Run], baselines: Sequence[Baseline] = ()) -> "Report":
        """Return the report on `runs`, with the scores of real images if there are any."""
        configurations = group_runs(runs)
        set_labels(configurations)
        letters = protocol_letters(runs)
        of_evaluated = (each.score_info for run in runs for each in run.evaluated)
        merged = merge_score_info(chain((run.score_info for run in runs), of_evaluated))
        score_info = main_score_first([run for configuration in configurations for run in configuration.runs], merged)
        columns = score_columns(configurations, letters, score_info)
        compared = preferred(columns, configurations)
        main = main_column(compared, configurations, score_info)
        configurations = sort_by_score(configurations, main)
        counted = [run for configuration in configurations for run in configuration.counted]
        declared = main is not None and is_declared(main.score, counted, score_info)
        return cls(
            runs,
            rows=[_summarize(configuration, columns) for configuration in configurations],
            columns=columns,
            preferred=compared,
            main=main,
            main_is_declared=declared,
            settings=differing_keys([configuration.settings for configuration in configurations]),
            letters=letters,
            score_info=score_info,
            comparisons=compare(configurations, compared, main if declared else None),
            baselines=baselines,
        )

    @property
    def configurations(self) -> list[Configuration]:
        """Return the configurations of runs in the order of the rows."""
        return [row.configuration for row in self.rows]

    @property
    def uncounted(self) -> list[Run]:
        """Return the runs that are not included in any mean."""
        counted = {run.path for configuration in self.configurations for run in configuration.counted}
        return [run for run in self.runs if run.path not in counted]

    @property
    def best_run(self) -> Run | None:
        """Return the run with the best main score among the runs of the best configuration.

        Return None if there is no main score, or if the better direction of this score is unknown.
        """
        has_direction = self.main is not None and self.main.info.higher_is_better is not None
        return (
            best_run(self.configurations[0], self.main) if self.main and has_direction and self.configurations else None
        )

    @property
    def unselected(self) -> list[Column]:
        """Return the preferred columns, without those of the best evaluation, which was chosen by its score."""
        return [column for column in self.preferred if column.evaluation != BEST]

    @property
    def unlabelled_settings(self) -> list[str]:
        """Return the keys of the settings in which the configurations differ and which their labels do not show."""
        return [key for key in self.settings if not is_in_labels(key, self.configurations)]

    @property
    def shared(self) -> dict[str, Any]:
        """Return the settings that all configurations share, with their dotted keys."""
        first = self.configurations[0].settings if self.configurations else {}
        return {key: value for key, value in first.items() if key not in self.settings}

    @property
    def tested(self) -> list[Comparison]:
        """Return the comparisons with enough seeds for a test."""
        return [comparison for comparison in self.comparisons if comparison.p is not None]

    @property
    def tested_by_main(self) -> list[Comparison]:
        """Return the comparisons by the main score that have enough seeds for a test."""
        return [comparison for comparison in self.tested if comparison.column == self.main]

    @property
    def tested_by_others(self) -> list[Comparison]:
        """Return the comparisons that have enough seeds for a test, without those by the main score."""
        return [comparison for comparison in self.tested if comparison.column != self.main]

    @property
    def untested_text(self) -> str:
        """Return one sentence on the comparisons without enough seeds for a test; "" if all have enough."""
        count = len(self.comparisons) - len(self.tested)
        singles = [configuration.label for configuration in self.configurations if len(configuration.counted) == 1]
        if not count:
            return ""
        are = "comparison is" if count == 1 else "comparisons are"
        listed = f" ({'; '.join(singles)})" if 0 < len(singles) <= MAX_LISTED else ""
        return f"{count} {are} left out, because a test needs at least two seeds of both configurations{listed}."

    @property
    def comparisons_text(self) -> str:
        """Return a text that explains how to read the comparisons."""
        declared = self.main if self.main_is_declared else None
        families = ONE_FAMILY_TEXT if declared is None else TWO_FAMILIES_TEXT.format(declared.phrase)
        return f"{COMPARISONS_TEXT} {families}"

    @property
    def lacks_pairs(self) -> bool:
        """Return whether there are too many configurations to compare all pairs."""
        return any(sum(row.cells[column].n > 0 for row in self.rows) > MAX_ALL_PAIRS for column in self.preferred)

    @property
    def protocol_is_unknown(self) -> bool:
        """Return whether there are scores, but no run has recorded how they were measured."""
        return {run.protocol_id for run in self.runs if run.has_scores} == {UNKNOWN_PROTOCOL}

    @property
    def scores_text(self) -> str:
        """Return a text that explains how to read the scores."""
        is_evaluated = any(column.is_evaluated for column in self.columns)
        return f"{SCORES_TEXT} {EVALUATED_TEXT}" if is_evaluated else SCORES_TEXT

    def protocol_notes(self) -> list[ProtocolNote]:
        """Return how the protocols differ; empty if all runs share one protocol."""
        protocols = protocols_of(self.runs)
        known = [protocols[name] for name in self.letters if name != UNKNOWN_PROTOCOL]
        keys = [key for key in differing_keys(known) if key != "id"]
        notes = []
        for name, letter in self.letters.items():
            values = {key: short(protocols[name].get(key, "-")) for key in keys} if name != UNKNOWN_PROTOCOL else {}
            notes.append(ProtocolNote(letter, values or {"protocol": "not recorded"}))
        return notes

    def common_protocols(self) -> list[str]:
        """Return sentences on protocols without letters, scores with too few samples, and the devices of the scores."""
        protocols = protocols_of(self.runs)
        names = {column.protocol: column.is_evaluated for column in self.columns if not column.letter}
        sentences = []
        for protocol, is_evaluated in names.items():
            values = {
                key: value for key, value in protocols.get(protocol, {}).items() if key != "id" and "sha256" not in key
            }
            of = "ganexp evaluate" if is_evaluated else "the training"
            listed = ", ".join(f"{key}={short(value)}" for key, value in values.items())
            sentences.append(f"Scores of {of}: {listed}." if listed else "")
        return [*filter(None, sentences), *few_samples(self.columns, self.runs), *scoring_devices(self.runs)]

    def directions(self) -> str:
        """Return at most three sentences, which say for each score which direction is better."""
        names: dict[str, dict[str, None]] = {"lower": {}, "higher": {}, "": {}}
        for column in self.columns:
            names[column.info.direction][column.score] = None
        sentences = {
            "Lower is better": names["lower"],
            "Higher is better": names["higher"],
            "The better direction is not recorded": names[""],
        }
        return " ".join(f"{text}: {', '.join(scores)}." for text, scores in sentences.items() if scores)


def _summarize(configuration: Configuration, columns: list[Column]) -> Row:
    return Row(configuration, {column: summarize(list(column.values(configuration).values())) for column in columns})
