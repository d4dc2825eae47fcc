"""Label each configuration of runs with the settings that distinguish it from the others."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from ganexp.report.grouping import Configuration, differing_keys
from ganexp.report.settings import NOT_SETTING_GROUPS, is_setting, setting_name, setting_text
from ganexp.report.values import as_dict, plain

# Config groups in the order in which labels name their options; other groups come after these.
CONFIG_GROUPS = (
    "experiment",
    "as_published",
    "data",
    "model",
    "loss",
    "augment",
    "schedule",
    "optimizer",
    "metrics",
)

LENGTH = "schedule.steps"
TYPED_LENGTHS = ("schedule.epochs", "schedule.evaluate_every_epochs")  # the config also has these lengths in steps
TOLD_LENGTHS = tuple(f"{key}=" for key in (LENGTH, "schedule.epochs"))  # how a label may state the length of runs


@dataclass
class _Draft:
    """The incomplete label of a configuration.

    Attributes:
        configuration: the configuration to label.
        candidates: the texts that the label may contain; each key is an option, an override or a setting.
        parts: the texts chosen so far.
    """

    configuration: Configuration
    candidates: dict[Hashable, str]
    parts: tuple[str, ...] = ()


def set_labels(configurations: Sequence[Configuration]) -> None:
    """Label each configuration with as few options and settings as possible that distinguish it from the others.

    Options are used first, then overrides that users typed, and then settings. A single configuration gets the name of
    its run. If the configurations differ in the number of steps, every label states this number, because an option
    such as schedule=quick does not show it.
    """
    if len(configurations) == 1:
        configurations[0].label = configurations[0].runs[0].name
        return
    typed = list(dict.fromkeys(key for configuration in configurations for key in _typed(configuration)))
    drafts = [_Draft(configuration, _candidates(configuration, typed)) for configuration in configurations]
    for key in differing_keys([draft.candidates for draft in drafts]):
        _extend(drafts, key)
    used: Counter[str] = Counter()
    has_lengths = len({configuration.settings.get(LENGTH) for configuration in configurations}) > 1
    for draft in drafts:
        parts = [part for part in draft.parts if part]
        if has_lengths and not any(part.startswith(TOLD_LENGTHS) for part in parts):
            parts.append(f"{LENGTH}={setting_text(LENGTH, draft.configuration.settings.get(LENGTH))}")
        label = ", ".join(parts) or "default"
        used[label] += 1
        draft.configuration.label = label if used[label] == 1 else f"{label} ({used[label]})"


def is_in_labels(key: str, configurations: Sequence[Configuration]) -> bool:
    """Return whether all labels show the setting `key`, by naming it or the option that sets it.

    A label with an option, such as loss=hinge, also shows each setting of the option's config group that has the same
    value in all configurations with this option. Settings without a value need not be shown.
    """
    values = [configuration.settings.get(key) for configuration in configurations]
    names = key.split(".")
    options = ["/".join(names[:depth]) for depth in range(1, len(names))]
    own = [f"{setting_name(key)}={setting_text(key, value)}" for value in values]
    if all(
        value is None or f", {text}," in f", {configuration.label},"
        for value, text, configuration in zip(values, own, configurations, strict=True)
    ):
        return True
    return any(_sets(option, values, configurations) for option in options)


def _sets(option: str, values: Sequence[Any], configurations: Sequence[Configuration]) -> bool:
    """Return whether each label names an option of the group `option`, and equal options imply equal `values`."""
    named = [
        "".join(part for part in configuration.label.split(", ") if part.startswith(f"{option}="))
        for configuration in configurations
    ]
    pairs = set(zip(named, map(str, values), strict=True))
    are_named = all(name or value is None for name, value in zip(named, values, strict=True))
    return are_named and len(pairs) == len(set(named))


def _extend(drafts: Sequence[_Draft], key: Hashable) -> None:
    """Add the text of `key` to labels that several configurations share, if this makes more labels differ."""
    counts = Counter(draft.parts for draft in drafts)
    extended = [
        (*draft.parts, draft.candidates.get(key, "")) if counts[draft.parts] > 1 else draft.parts for draft in drafts
    ]
    if len(set(extended)) > len(counts):
        for draft, parts in zip(drafts, extended, strict=True):
            draft.parts = parts


def _typed(configuration: Configuration) -> dict[str, str]:
    """Return the key and the value, as typed, of each override of a configuration's first run."""
    parts = [plain(each).lstrip("+").partition("=") for each in configuration.runs[0].overrides]
    return {key: value for key, _, value in parts if is_setting(key) or key in TYPED_LENGTHS}


def _candidates(configuration: Configuration, typed: Sequence[str]) -> dict[Hashable, str]:
    """Return the texts that a label may contain: first options (loss=hinge), then typed overrides, then settings.

    Args:
        configuration: the configuration.
        typed: the keys of the overrides of all configurations.
    """
    recorded = as_dict(configuration.runs[0].metadata.get("groups"))
    options = {plain(name): plain(option) for name, option in recorded.items() if option}
    names = [name for name in dict.fromkeys([*CONFIG_GROUPS, *options]) if name.split("/")[0] not in NOT_SETTING_GROUPS]
    candidates: dict[Hashable, str] = {
        ("option", name): f"{name}={options[name]}" if name in options else "" for name in names
    }
    own = _typed(configuration)
    for key in typed:
        if key in configuration.settings:
            candidates["override", key] = f"{setting_name(key)}={setting_text(key, configuration.settings[key])}"
        elif key not in options:
            candidates["override", key] = f"{key}={own[key]}" if key in own else ""
    for key, value in configuration.settings.items():
        candidates[key] = f"{setting_name(key)}={setting_text(key, value)}"
    return candidates
