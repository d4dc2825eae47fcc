"""Read the options of an experiment, or of the default run, from defaults lists without composing a config.

Composing the config of an experiment takes a tenth of a second; reading only its options takes a millisecond. This
module must not import torch.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from ganexp.config.composition import CONF

Choices = dict[str, list[str]]  # for each group, the names of its chosen options


@cache
def _defaults(name: str) -> list[Any]:
    """Return the defaults list of a config file such as experiment/sagan/cifar10_2."""
    file = CONF / f"{name}.yaml"
    if not file.exists():  # the entry that names this file is optional
        return []
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content.get("defaults", []) if isinstance(content, Mapping) else []


def takes_list(group: str) -> bool:
    """Return whether a run can have several options of a group, such as callbacks, at the same time."""
    return any(isinstance(entry, Mapping) and isinstance(entry.get(group), list) for entry in _defaults("run"))


def chosen_options(experiment: str | None = None) -> Choices:
    """Return for each group the options with which an experiment runs, including the default options.

    Args:
        experiment: an option of the group `experiment`, such as sagan/cifar10_2; None for a run without an experiment.
    """
    chosen = _own_choices(f"experiment/{experiment}") if experiment else {}
    preset = {group: options for entry in _defaults("run") for group, options in _choices_in(entry)}
    for group in reversed(preset):  # an option can choose options only of groups that are listed above its own group
        options = chosen.setdefault(group, preset[group])
        for option in options:
            for other, others in _own_choices(f"{group}/{option}").items():
                chosen.setdefault(other, others)
    return {group: options for group, options in chosen.items() if options}


def _own_choices(name: str) -> Choices:
    """Return the options that a file and its included files choose; the choices of the file itself take precedence."""
    inherited: Choices = {}
    own: Choices = {}
    for entry in _defaults(name):
        if isinstance(entry, Mapping):
            for group, options in _choices_in(entry):
                if group.startswith("experiment/"):  # a file that the experiment includes
                    inherited |= _own_choices(f"{group}/{options[0]}")
                else:
                    own[group] = options
        elif entry != "_self_":
            parent = entry.lstrip("/") if entry.startswith("/") else f"{name.rpartition('/')[0]}/{entry}"
            inherited |= _own_choices(parent)
    return inherited | own


def _choices_in(entry: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield each group in an entry of a defaults list, with the options that the entry chooses for the group."""
    if isinstance(entry, Mapping):
        for key, options in entry.items():
            group = key.split(" ")[-1].lstrip("/").split("@")[0]  # the key without `override`, `optional` and @PACKAGE
            names = options if isinstance(options, list) else [options] if options else []
            yield group, [name.replace("${as_published}", "none") for name in names]
