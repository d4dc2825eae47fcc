"""Label each group of runs with the settings that distinguish it from the others."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ganexp.report.grouping import Group, differing_keys
from ganexp.report.settings import NOT_SETTING_GROUPS, setting_name, setting_text
from ganexp.report.values import as_dict, plain

# Config groups in the order in which labels name their options; further ones come after these.
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


@dataclass
class _Draft:
    """The incomplete label of a group.

    Attributes:
        group: the group to label.
        candidates: the texts that the label may contain, by key.
        parts: the texts chosen so far.
    """

    group: Group
    candidates: dict[Hashable, str]
    parts: tuple[str, ...] = ()


def set_labels(groups: Sequence[Group]) -> None:
    """Label each group with as few options and settings as possible that distinguish it from the others.

    Options come before settings. A single group gets the name of its run.
    """
    if len(groups) == 1:
        groups[0].label = groups[0].runs[0].name
        return
    drafts = [_Draft(group, _candidates(group)) for group in groups]
    for key in differing_keys([draft.candidates for draft in drafts]):
        _extend(drafts, key)
    used: Counter[str] = Counter()
    for draft in drafts:
        label = ", ".join(filter(None, draft.parts)) or "default"
        used[label] += 1
        draft.group.label = label if used[label] == 1 else f"{label} ({used[label]})"


def _extend(drafts: Sequence[_Draft], key: Hashable) -> None:
    """Add the text of `key` to labels that several groups share, if this increases the number of different labels."""
    counts = Counter(draft.parts for draft in drafts)
    extended = [
        (*draft.parts, draft.candidates.get(key, "")) if counts[draft.parts] > 1 else draft.parts for draft in drafts
    ]
    if len(set(extended)) > len(counts):
        for draft, parts in zip(drafts, extended, strict=True):
            draft.parts = parts


def _candidates(group: Group) -> dict[Hashable, str]:
    """Return the options (loss=hinge), then the settings, that can be part of a group's label."""
    recorded = as_dict(group.runs[0].metadata.get("groups"))
    options = {plain(name): plain(option) for name, option in recorded.items() if option}
    names = [name for name in dict.fromkeys([*CONFIG_GROUPS, *options]) if name.split("/")[0] not in NOT_SETTING_GROUPS]
    candidates: dict[Hashable, str] = {
        ("option", name): f"{name}={options[name]}" if name in options else "" for name in names
    }
    for key, value in group.settings.items():
        candidates[key] = f"{setting_name(key)}={setting_text(key, value)}"
    return candidates
