"""State in one sentence what a report has found, and nothing that the intervals do not support."""

from collections.abc import Sequence

from ganexp.console import count
from ganexp.report.columns import NOT_EVALUATED, NOT_FINITE
from ganexp.report.comparison import SIGNIFICANCE, Comparison
from ganexp.report.formatting import mean_and_half
from ganexp.report.grouping import EARLY, Configuration, shared_metadata
from ganexp.report.report import Report, Row
from ganexp.report.settings import setting_name, setting_text
from ganexp.report.statistics import LEVEL_TEXT

MAX_NAMES = 4  # configurations that a sentence names
MAX_SETTINGS = 6  # settings that a sentence names
# for each reason why seeds may lack a score, a remark that ends the sentence on these seeds
DOUBTS = {
    EARLY: " (failed, died or pruned)",
    NOT_EVALUATED: " (to compute it: ganexp evaluate ckpt=…)",
    NOT_FINITE: "",
}


def title(report: Report) -> str:
    """Return the title of a report: the dataset, if the runs have one in common, and the configurations."""
    datasets = {run.dataset for configuration in report.configurations for run in configuration.runs}
    dataset = datasets.pop() if len(datasets) == 1 else ""
    labels = [configuration.label for configuration in report.configurations]
    compared = f"{labels[0]} and {labels[1]}" if len(labels) == 2 else f"{len(labels)} configurations"
    content = labels[0] if len(labels) == 1 else compared
    return f"{dataset}: {content}" if dataset else content


def best_score(report: Report) -> str:
    """Return the best mean score with its interval, its number of seeds and its configuration; "" if there is none."""
    ranked = ranked_rows(report)
    if report.main is None or not ranked or report.main.info.higher_is_better is None:
        return ""
    cell = ranked[0].cells[report.main]
    seeds = "one seed" if cell.n == 1 else f"{LEVEL_TEXT} interval over {cell.n} seeds"
    seeds = ", ".join(filter(None, [seeds, report.main.doubts(ranked[0].configuration)]))
    return f"Best mean {report.main.phrase}: {mean_and_half(cell, cell.n)} ({seeds}), {ranked[0].configuration.label}"


def finding(report: Report) -> str:
    """Return which configurations are worse than the best one by the main score, and how many seeds lack a score."""
    found = [(_doubts_by_reason(each, report), each) for each in report.configurations]
    doubts = [_told([(texts.get(reason, ""), each) for texts, each in found], reason) for reason in DOUBTS]
    return " ".join(filter(None, [_claim(report), *doubts]))


def _doubts_by_reason(configuration: Configuration, report: Report) -> dict[str, str]:
    """Return how many seeds of a configuration lack the main score, as one text for each reason in DOUBTS."""
    return {EARLY: configuration.ended_early} | (report.main.lacking(configuration) if report.main else {})


def _told(texts: Sequence[tuple[str, Configuration]], reason: str) -> str:
    """Return one sentence that lists the texts and their configurations; "" if all texts are empty."""
    found = [f"{text} in {configuration.label}" for text, configuration in texts if text]
    if len(found) > MAX_NAMES:
        return f"In {len(found)} configurations, seeds {reason}{DOUBTS[reason]}."
    return f"{_listed(found)}{DOUBTS[reason]}." if found else ""


def _claim(report: Report) -> str:
    """Return one sentence that says which configurations are worse than the best one by the main score."""
    if report.main is None:
        return "No finished run has scores."
    ranked, name = ranked_rows(report), report.main.phrase
    if not ranked:
        return f"No finished run has {name}."
    if len(ranked) == 1:
        return f"Only one configuration has {name}, so there is nothing to compare it with."
    if report.main.info.higher_is_better is None:
        return f"The runs do not record which direction of {name} is better, so the configurations are not ranked."
    return _ranking(ranked[0].configuration, report, name)


def _ranking(first: Configuration, report: Report, name: str) -> str:
    """Return one sentence that compares `first`, the configuration with the best mean of the main score, with others.

    Args:
        first: the configuration with the best mean.
        report: the report.
        name: the main score, as part of a sentence.
    """
    against = _against(first, report.comparisons, report)
    beaten = [(other, comparison) for other, comparison in against if comparison.better is first]
    reverse = [(other, comparison) for other, comparison in against if comparison.better is other]
    untested = [other for other, comparison in against if comparison.p is None]
    similar = [other for other, comparison in against if comparison.p is not None and not comparison.is_significant]
    undecided = [other for other, comparison in against if comparison.is_significant and not comparison.is_separable]
    parts = []
    if beaten:
        names, test = _tested(beaten, len(against))
        parts.append(f"By the mean {name}, {first.label} is better than {names} ({test})")
    else:
        is_partial = report.main is not None and report.main.doubts(first)
        parts.append(f"{first.label} has the best mean {name}{' of its finished seeds' if is_partial else ''}")
    if reverse:
        names, test = _tested(reverse, len(against))
        parts.append(f"on the seeds that both have, {names} {'is' if len(reverse) == 1 else 'are'} better ({test})")
    if undecided:
        doubts = [doubt for doubt in DOUBTS if any(doubt in each.verdict for _, each in against)]
        parts.append(f"there is no verdict on {_names(undecided, len(against))}, because seeds {' or '.join(doubts)}")
    if similar:
        parts.append(f"its difference from {_names(similar, len(against))} is not significant")
    if untested:
        parts.append(f"a test against {_names(untested, len(against))} needs at least two seeds of both")
    return f"{', but '.join(parts[:2])}{''.join(f', and {part}' for part in parts[2:])}."


def other_differences(report: Report) -> str:
    """Return the differences between configurations that their labels do not show, as text; "" if there are none.

    An option such as loss=wgan_gp sets more than the loss, and the runs may have different versions or devices.
    """
    return " ".join(filter(None, [_other_settings(report), _other_circumstances(report)]))


def _other_circumstances(report: Report) -> str:
    """Return one sentence on the versions, commits and devices of the counted runs; "" if the runs share them."""
    runs = [run for configuration in report.configurations for run in configuration.counted]
    several = [f"{count} {name}" for name, count in shared_metadata(runs).items()]
    return f"The runs have {_listed(several)}." if several and len(report.configurations) > 1 else ""


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _other_settings(report: Report) -> str:
    """Return one sentence on the settings that differ between configurations and that the labels do not show.

    If there are two configurations, the sentence also has the values of the settings. Settings of metrics are left
    out, because they do not change the training.
    """
    keys = [key for key in report.unlabelled_settings if not key.startswith("metrics.")]
    shown = [setting_name(key) for key in keys[:MAX_SETTINGS]]
    if len(report.configurations) == 2:
        shown = [
            f"{setting_name(key)} ({' and '.join(_value(key, each) for each in report.configurations)})"
            for key in keys[:MAX_SETTINGS]
        ]
    if len(keys) > MAX_SETTINGS:
        shown.append(count(len(keys) - MAX_SETTINGS, "more setting"))
    return f"The configurations also differ in {_listed(shown)}, which their names do not show." if keys else ""


def _value(key: str, configuration: Configuration) -> str:
    return setting_text(key, configuration.settings.get(key)) or "none"


def ranked_rows(report: Report) -> list[Row]:
    """Return the rows that have the main score, sorted by this score, like all rows of a report."""
    return [] if report.main is None else [row for row in report.rows if row.cells[report.main].n]


def _against(
    first: Configuration, comparisons: Sequence[Comparison], report: Report
) -> list[tuple[Configuration, Comparison]]:
    """Return the configurations with which `first` was compared by the main score, and the comparisons."""
    found = []
    for comparison in comparisons:
        if comparison.column == report.main and first in (comparison.first, comparison.second):
            found.append((comparison.second if comparison.first is first else comparison.first, comparison))
    return found


def _tested(against: Sequence[tuple[Configuration, Comparison]], others: int) -> tuple[str, str]:
    """Return the names of the configurations in `against`, and a description of the tests."""
    return _names([other for other, _ in against], others), _test([comparison for _, comparison in against])


def _test(comparisons: Sequence[Comparison]) -> str:
    """Return a text with the t test, the smallest number of seeds, Holm's correction and the significance level."""
    kinds = {comparison.difference.kind for comparison in comparisons}
    kind = {"paired": "paired t test", "Welch": "Welch's t test"}[kinds.pop()] if len(kinds) == 1 else "t tests"
    sizes = {size for comparison in comparisons for size in comparison.difference.n}
    seeds = f"{min(sizes)}" if len(sizes) == 1 else f"at least {min(sizes)}"
    return f"{kind} over {seeds} seeds with Holm's correction, p < {SIGNIFICANCE}"


def _names(configurations: Sequence[Configuration], others: int) -> str:
    """Return the labels of `configurations`, or only their number if there are many.

    Args:
        configurations: the configurations to name.
        others: the number of all configurations that the best one was compared with.
    """
    if len(configurations) == others > 2:
        return f"the other {others} configurations"
    if len(configurations) > MAX_NAMES:
        return f"{len(configurations)} other configurations"
    *first, last = [configuration.label for configuration in configurations]
    return f"{'; '.join(first)} and {last}" if first else last  # labels may have commas, so semicolons separate them
