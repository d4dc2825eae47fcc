"""Return the help of ganexp and of the commands with a Hydra config. This module must not import torch.

Hydra's own --help lists groups and settings without explanations, and takes a second.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import dedent, fill
from typing import Any

from omegaconf import OmegaConf

from ganexp.arguments import Command, hydra_parser
from ganexp.commands.catalogue import COMMANDS
from ganexp.config.choices import chosen_options
from ganexp.config.comments import file_comments, schema_comments, with_comments
from ganexp.config.composition import compose_config, group_options, root_type
from ganexp.config.instantiate import to_plain

LINE_LENGTH = 120
OVERLAYS = (
    "experiment",
    "as_published",
    "sweep",
    "hparams_search",
)  # groups whose comments describe a case, not a setting

FIRST_GROUPS = ("data", "model", "loss", "metrics", "schedule", "optimizer", "trainer")  # chosen most often

TRAILER = """Choose an option of a group by GROUP=OPTION. Some groups take a list of options: metrics/score=[is,fid].
Another option may replace a default: data=cifar10, for example, chooses model=dcgan.
Tab completion in bash: eval "$(ganexp -sc install=bash)"   (zsh and fish: docs/commands.md)"""


def general_help(folders: Sequence[Path]) -> str:
    """Return the help of ganexp itself: its commands, and the config groups of a training run."""
    commands = "\n".join(f"  {name:10} {entry.summary}" for name, entry in COMMANDS.items())
    return "\n\n".join(
        [
            "usage: ganexp [COMMAND] [ARGUMENT …]",
            "Any GAN experiment as one command.",
            f"Commands\n{commands}",
            examples("train"),
            f"Groups\n{_list_groups('train', folders)}",
            TRAILER,
            "ganexp help COMMAND shows the settings of a command, with explanations and default values.",
        ]
    )


def command_help(command: Command, folders: Sequence[Path]) -> str:
    """Return the help of a command that has a config: usage, examples, groups and settings.

    Args:
        command: the command; the settings are shown with its overrides applied.
        folders: the directories of config files: ganexp's own first, then the user's.

    Raises:
        hydra.errors.HydraException: the config cannot be composed.
    """
    sections = [f"usage: {COMMANDS[command.name].usage}", description(command.name), examples(command.name)]
    if groups := _list_groups(command.config_name, folders):
        sections += [f"Groups\n{groups}", TRAILER]
    sections += [f"Settings (key=value; ??? stands for a value that must be given)\n{_settings(command, folders)}"]
    flags = hydra_parser(command.name, usage=argparse.SUPPRESS).format_help()
    return "\n\n".join([*sections, flags.strip()])


def description(name: str) -> str:
    """Return the description of a command."""
    return dedent(COMMANDS[name].description).strip()


def examples(name: str) -> str:
    """Return the examples of a command, below a heading."""
    lines = dedent(COMMANDS[name].examples).strip().splitlines()
    return "\n".join(["Examples", *(f"  {line}" for line in lines)])


def _list_groups(config_name: str, folders: Sequence[Path]) -> str:
    """Return a paragraph for each config group: its name and options. Groups that are chosen most often come first."""
    options = group_options(config_name, folders)
    if config_name == "train":
        options = {group: mark_default(group, names) for group, names in options.items()}
    layout: dict[str, Any] = {"initial_indent": "  ", "subsequent_indent": "      ", "break_long_words": False}
    paragraphs = [f"{group}: {', '.join(options[group])}" for group in by_frequency(options)]
    return "\n".join(fill(text, LINE_LENGTH, break_on_hyphens=False, **layout) for text in paragraphs)


def mark_default(group: str, options: Sequence[str]) -> list[str]:
    """Return the options of a group. "(default)" follows each option that a run without overrides has."""
    chosen = chosen_options().get(group, [])
    return [f"{name} (default)" if name in chosen and name != "default" else name for name in options]


def by_frequency(groups: Iterable[str]) -> list[str]:
    """Return config groups sorted so that the groups of `FIRST_GROUPS` come first."""
    places = {group: place for place, group in enumerate(FIRST_GROUPS)}
    return sorted(groups, key=lambda group: places.get(group.split("/")[0], len(places)))


def _settings(command: Command, folders: Sequence[Path]) -> str:
    """Return the settings of a command as YAML, with comments from the files of the chosen options or from the schema.

    Settings of the command itself come first, then other single settings, and then sections.
    """
    cfg = compose_config(command.config_name, command.arguments, folders, with_hydra=True)
    choices = cfg.hydra.runtime.choices
    shown = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    settings = to_plain(shown, resolve=False)
    if command.config_name == "evaluate" and not choices.metrics:  # settings like samples= change the run's metrics
        settings["metrics"] = {"scores": settings["metrics"]["scores"]}
    schema = root_type(cfg)
    inherited = getattr(schema.__base__, "__dataclass_fields__", {})
    order = sorted(settings, key=lambda name: (isinstance(settings[name], dict), name in inherited))
    comments = schema_comments(schema)
    for group, options in group_options(command.config_name, folders).items():
        if group.split("/")[0] in OVERLAYS or (group in choices and not choices[group]):
            continue
        comments |= file_comments(group, [choices[group]] if group in choices else options, folders)
    return with_comments(OmegaConf.to_yaml(OmegaConf.create({name: settings[name] for name in order})), comments)
