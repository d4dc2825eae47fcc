"""Runs of one configuration and several seeds as one group; scores of one protocol as one column."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ganexp.report.collect import Run
from ganexp.report.values import SPREADS, plain

WHICH = ("best", "last")
LOWER, HIGHER = ("fid", "kid", "intra"), ("is", "accuracy", "precision", "recall", "density", "coverage")
CHOICES = (
    "experiment",
    "as_published",
    "data",
    "model",
    "loss",
    "schedule",
    "optimizer",
    "metrics",
)  # told in this order


@dataclass
class Group:
    """Runs that differ in their seed alone. counted: the finished ones, the newest of each seed."""

    settings: dict[str, Any]
    runs: list[Run]
    label: str = ""
    counted: list[Run] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def values(self, column: "Column") -> dict[Hashable, float]:
        """{seed: score} of the counted runs that have it under the column's protocol."""
        found = {}
        for run in self.counted:
            value = run.scores[column.which].get(column.score)
            if value is not None and run.protocol_id == column.protocol:
                found[run.seed] = value
        return found


@dataclass(frozen=True)
class Column:
    """One score of one protocol, at the best or the last evaluation. letter: the protocol's, if there are several."""

    score: str
    which: str
    protocol: str
    letter: str = ""

    @property
    def name(self) -> str:
        return f"{self.score} [{self.letter}]" if self.letter else self.score

    @property
    def title(self) -> str:
        return f"{self.name} {self.which}"

    @property
    def better(self) -> str:
        """ "lower", "higher", or "" for a score whose direction is not known."""
        return better(self.score)


def better(score: str) -> str:
    """Which values of `score` are better: "lower", "higher", or "" where that is not known."""
    kind = score.split("_")[0]
    return "lower" if kind in LOWER else "higher" if kind in HIGHER else ""


def group(runs: Iterable[Run]) -> list[Group]:
    """Groups in the order of their first run; runs that cannot be read are in none."""
    found: dict[tuple, Group] = {}
    for run in runs:
        if run.status != "unreadable":
            key = tuple(sorted(run.settings.items(), key=lambda item: item[0]))
            found.setdefault(key, Group(run.settings, [])).runs.append(run)
    groups = list(found.values())
    for one in groups:
        one.counted = _counted(one.runs)
        _warn(one)
    for one, label in zip(groups, _labels(groups), strict=True):
        one.label = label
    return groups


def differing(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Keys that have not one and the same value in all rows, in the order of the rows."""
    keys = {key: None for row in rows for key in row}
    return [key for key in keys if any(row.get(key) != rows[0].get(key) for row in rows)]


def letters(runs: Iterable[Run]) -> dict[str, str]:
    """Protocol id -> A, B, …, the commonest first, "?" for runs that do not say; {} if all share one."""
    counts = Counter(run.protocol_id for run in runs if run.scored)
    if len(counts) < 2:
        return {}
    known = [one for one, _ in counts.most_common() if one != "?"]
    return {one: _letter(place) for place, one in enumerate(known)} | ({"?": "?"} if "?" in counts else {})


def columns(groups: Iterable[Group], names: dict[str, str]) -> list[Column]:
    """Every score of the counted runs, protocol by protocol: best, then last. `names` are the protocols' letters."""
    found = {
        (run.protocol_id, score): None
        for one in groups for run in one.counted for which in WHICH for score in run.scores[which]
        if score != "step" and not score.endswith(SPREADS)
    }  # fmt: skip
    order = sorted(found, key=lambda pair: (names.get(pair[0], ""), (*LOWER, *HIGHER).index(pair[1].split("_")[0])
                                            if better(pair[1]) else 99, pair[1]))  # fmt: skip
    return [Column(score, which, one, names.get(one, "")) for one, score in order for which in WHICH]


def setting(key: str, value: Any) -> tuple[str, str]:
    """A setting as it is shown: ("loss.adversarial", "Hinge") for loss.adversarial._target_."""
    if key.endswith("._target_"):
        return key.removesuffix("._target_"), str(value).rsplit(".", 1)[-1] if value is not None else ""
    if value is None:
        return key, ""
    if isinstance(value, bool):
        return key, str(value).lower()
    return key, f"{value:g}" if isinstance(value, float) else str(value)


def _letter(place: int) -> str:
    return chr(65 + place) if place < 26 else f"P{place + 1}"


def _counted(runs: list[Run]) -> list[Run]:
    newest: dict[Hashable, Run] = {}
    for run in sorted(runs, key=lambda run: plain(run.facts.get("started"))):
        if run.status != "finished":
            continue
        if run.seed in newest:
            newest[run.seed].warnings.append(f"not counted: {run.label} has the same settings and seed, and is newer")
        newest[run.seed] = run
    return [run for run in runs if newest.get(run.seed) is run]


def _warn(one: Group) -> None:
    if len({run.last_step for run in one.counted}) > 1:
        one.warnings.append("unequal lengths")
    for fact, many in (("ganexp", "versions of ganexp"), ("git_commit", "git commits"), ("device", "devices")):
        kinds = {plain(run.facts.get(fact)) for run in one.counted}
        if len(kinds) > 1:
            one.warnings.append(f"{len(kinds)} {many}")


def _labels(groups: list[Group]) -> list[str]:
    """The fewest choices, then settings, that tell the groups apart."""
    if len(groups) == 1:
        return [groups[0].runs[0].name]
    rows = [_words(one) for one in groups]
    told: list[tuple[str, ...]] = [()] * len(groups)
    for key in differing(rows):
        times = Counter(told)
        more = [
            (*words, row.get(key, "")) if times[words] > 1 else words for words, row in zip(told, rows, strict=True)
        ]
        if len(set(more)) > len(set(told)):
            told = more
    labels, seen = [], Counter()
    for words in told:
        label = ", ".join(filter(None, words)) or "as by default"
        seen[label] += 1
        labels.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return labels


def _words(one: Group) -> dict[Hashable, str]:
    """The words that a group could be called by: its choices (loss=hinge), then its settings."""
    made = one.runs[0].facts.get("groups")
    made = {plain(key): plain(value) for key, value in made.items() if value} if isinstance(made, dict) else {}
    choices = {("choice", key): f"{key}={made[key]}" if key in made else "" for key in (*CHOICES, *made)}
    return choices | {key: "=".join(setting(key, value)) for key, value in one.settings.items()}
