"""Print the help of ganexp, and of the commands that Hydra composes a config for. Must not import torch.

Hydra's own --help would list groups and settings without their meaning, and takes a second for it.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, fill

from omegaconf import OmegaConf

from ganexp.arguments import Command, hydra_parser
from ganexp.config.comments import file_comments, schema_comments, with_comments
from ganexp.config.composition import compose_config, group_options

LINE_LENGTH = 120
OVERLAYS = ("experiment", "as_published", "sweep")  # groups whose comments are on a case, not on a setting


@dataclass(frozen=True)
class CommandHelp:
    """What the help says of a command: a line for the list, its usage, what it does, and examples."""

    summary: str
    usage: str
    description: str
    examples: str


COMMANDS: Mapping[str, CommandHelp] = {
    "train": CommandHelp(
        "train and score a GAN; everything is written to outputs/NAME/TIME/ (the command that needs no name)",
        "ganexp [train] [GROUP=OPTION …] [KEY=VALUE …] [FLAG …]",
        """
        Train a GAN, score it at every evaluation, and write everything to a directory of its own, outputs/NAME/TIME/.
        With -m, or with a preset such as sweep=losses, run a sweep instead: every combination of the values that are
        separated by commas, each job in a directory of its own.
        """,
        """
        ganexp loss=hinge seed=1
        ganexp data=mnist model=dcgan schedule.steps=10000
        ganexp metrics=inception metrics/score=[is,fid,kid]
        ganexp experiment=textbook/wgan_gp data.root=DIR
        ganexp -m loss=hinge,wgan_gp seed=1,2,3
        ganexp sweep=losses seed=1,2,3
        ganexp sweep.resume=outputs/sweep/TIME
        """,
    ),
    "evaluate": CommandHelp(
        "score a checkpoint, a directory or zip of images, or the real images of a split",
        "ganexp evaluate ckpt=FILE|RUN [KEY=VALUE …] [FLAG …]\n"
        "       ganexp evaluate images=DIRECTORY|ZIP [GROUP=OPTION …] [KEY=VALUE …] [FLAG …]\n"
        "       ganexp evaluate real=SPLIT [GROUP=OPTION …] [KEY=VALUE …] [FLAG …]",
        """
        ckpt=    score a checkpoint, or the best one of a run, with the metrics of its run or with others. Samples come
                 from latents that did not choose the checkpoint. Writes scores.json, nearest.png and diagnostics.png
                 into the run directory.
        images=  score images of any origin against a dataset.
        real=    score a split of the dataset against the others: what a perfect generator would reach.
        """,
        """
        ganexp evaluate ckpt=outputs/NAME/TIME
        ganexp evaluate ckpt=outputs/NAME/TIME/checkpoints/last.ckpt samples=50000 references=[train]
        ganexp evaluate ckpt=outputs/NAME/TIME metrics=inception weights=FILE
        ganexp evaluate images=DIRECTORY data=cifar10 metrics=inception
        ganexp evaluate real=test data=mnist
        ganexp evaluate images=DIRECTORY --help        the settings of images= and real=
        """,
    ),
    "sample": CommandHelp(
        "draw samples from a checkpoint",
        "ganexp sample ckpt=FILE|RUN [KEY=VALUE …] [FLAG …]",
        """
        Draw samples from a checkpoint, or from the best one of a run. Beside the images it saves a grid of them, two
        interpolations and, for a conditional generator, a grid with a class in each row.
        """,
        """
        ganexp sample ckpt=outputs/NAME/TIME n=64
        ganexp sample ckpt=outputs/NAME/TIME n=50000 format=npz output=DIRECTORY
        """,
    ),
    "describe": CommandHelp(
        "print as JSON what would be trained; estimate=true: how long it takes on this machine",
        "ganexp describe [GROUP=OPTION …] [KEY=VALUE …] [FLAG …]",
        """
        Print as JSON what ganexp train would do with the same arguments: networks and their parameters, losses, update
        rule, optimizers, length. Needs no data, and writes nothing. With -m, it describes every job of the sweep.
        """,
        """
        ganexp describe loss=hinge model=dcgan
        ganexp describe experiment=sagan/cifar10_2 estimate=true
        ganexp describe -m loss=hinge,wgan_gp estimate=true
        """,
    ),
    "resume": CommandHelp(
        "continue a run or a sweep that was stopped, or train a finished run longer",
        "ganexp resume RUN [schedule.steps=N]\n       ganexp resume SWEEP [hydra/launcher=…] [--config-dir DIRECTORY]",
        """
        Continue a run that was stopped, from its last checkpoint, with the same result as if it had never stopped.
        Continue a sweep: run the jobs that are not done.
        """,
        """
        ganexp resume outputs/NAME/TIME
        ganexp resume outputs/NAME/TIME schedule.steps=20000
        ganexp resume outputs/sweep/TIME
        """,
    ),
    "report": CommandHelp(
        "compare runs: tables over seeds, curves and samples on one page; --bundle: pack a run",
        "ganexp report DIRECTORY … [output=DIRECTORY] [images=false]\n"
        "       ganexp report --bundle RUN [output=DIRECTORY] [checkpoint=true]",
        """
        Compare all runs below the directories: one row for each configuration, with mean, standard deviation and 95 %
        interval over seeds; differences between configurations; learning curves; samples side by side. Writes
        index.html, a page that opens from disk, and the table as table.md and table.csv.
        With --bundle, pack one run into a zip file: config, scores and their protocol, curves, samples, environment,
        and a model card.
        """,
        """
        ganexp report outputs
        ganexp report outputs/a outputs/b output=comparison
        ganexp report --bundle outputs/NAME/TIME checkpoint=true
        """,
    ),
}

TRAILER = """Set a group by GROUP=OPTION, several options where a list makes sense: metrics/score=[is,fid].
Tab completion: eval "$(ganexp -sc install=bash)" """.rstrip()


def general_help(folders: Sequence[Path]) -> str:
    """Return the help of ganexp itself: its commands, and the groups of a run."""
    commands = "\n".join(f"  {name:10} {entry.summary}" for name, entry in COMMANDS.items())
    return "\n\n".join(
        [
            "usage: ganexp [COMMAND] [ARGUMENT …]",
            "Any GAN experiment as one command.",
            f"Commands\n{commands}",
            f"Groups\n{_list_groups('train', folders)}",
            TRAILER,
            "ganexp COMMAND --help shows the settings of a command, with their meaning and default.",
        ]
    )


def command_help(command: Command, folders: Sequence[Path]) -> str:
    """Return the help of a command that has a config: usage, examples, groups and settings.

    Args:
        command: with overrides; the settings are shown as these leave them.
        folders: the directories of config files: ganexp's own first, then the user's.

    Raises:
        hydra.errors.HydraException: the config cannot be composed.
    """
    sections = [f"usage: {COMMANDS[command.name].usage}", description(command.name), examples(command.name)]
    if groups := _list_groups(command.config_name, folders):
        sections += [f"Groups\n{groups}", TRAILER]
    sections += [f"Settings (key=value; ??? must be given)\n{_settings(command, folders)}"]
    flags = hydra_parser(command.name, usage=argparse.SUPPRESS).format_help()
    return "\n\n".join([*sections, flags.strip()])


def description(name: str) -> str:
    """Return what a command does."""
    return dedent(COMMANDS[name].description).strip()


def examples(name: str) -> str:
    """Return the examples of a command, below a heading."""
    lines = dedent(COMMANDS[name].examples).strip().splitlines()
    return "\n".join(["Examples", *(f"  {line}" for line in lines)])


def _list_groups(config_name: str, folders: Sequence[Path]) -> str:
    """Return a paragraph for each config group: its name and its options."""
    options = group_options(config_name, folders)
    layout = {"initial_indent": "  ", "subsequent_indent": "      ", "break_long_words": False}
    paragraphs = [f"{group}: {', '.join(names)}" for group, names in options.items()]
    return "\n".join(fill(text, LINE_LENGTH, break_on_hyphens=False, **layout) for text in paragraphs)


def _settings(command: Command, folders: Sequence[Path]) -> str:
    """Return the settings of a command as YAML, with the comments of the chosen options, else of the schema."""
    cfg = compose_config(command.config_name, command.arguments, folders, with_hydra=True)
    choices = cfg.hydra.runtime.choices
    settings = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    comments = schema_comments(OmegaConf.get_type(cfg))
    for group, options in group_options(command.config_name, folders).items():
        if group.split("/")[0] in OVERLAYS or (group in choices and not choices[group]):
            continue
        comments |= file_comments(group, [choices[group]] if group in choices else options, folders)
    return with_comments(OmegaConf.to_yaml(settings), comments)
