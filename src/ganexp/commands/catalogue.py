"""The commands of ganexp, with their help texts. This module must not import torch.

The commands `list` and `report` have no Hydra config. Each of them is run by the function `main(arguments)` in the
module of the same name.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class CommandHelp:
    """The help text of a command: a line for the list of commands, the usage, a description, and examples."""

    summary: str
    usage: str
    description: str
    examples: str


COMMANDS: Mapping[str, CommandHelp] = {
    "train": CommandHelp(
        "train and score a GAN; everything is written to outputs/NAME/TIME/ (the default command)",
        "ganexp [train] [GROUP=OPTION …] [KEY=VALUE …] [FLAG …]",
        """
        Train a GAN, score it at every evaluation, and write everything to a new run directory, outputs/NAME/TIME/.
        With -m, or with a preset such as sweep=losses, run a sweep instead: every combination of the values that are
        separated by commas, each job in its own directory. With --dry-run, build the networks, read the dataset and
        print a summary of it, but train nothing.
        """,
        """
        ganexp loss=hinge seed=1
        ganexp data=mnist model=dcgan schedule.steps=10000
        ganexp metrics=inception metrics/score=[is,fid,kid]
        ganexp experiment=textbook/wgan_gp data.root=DIR
        ganexp -m loss=hinge,wgan_gp seed=1,2,3
        ganexp sweep=losses seed=1,2,3
        ganexp data=folder data.path=DIRECTORY --dry-run
        ganexp sweep=sagan_cifar10 model.generator.widths=[64,64,64,64] seed=1
        """,
    ),
    "evaluate": CommandHelp(
        "score a checkpoint, all runs in a directory, a directory or zip of images, or the real images of a split",
        "ganexp evaluate ckpt=FILE|RUN|DIRECTORY [KEY=VALUE …] [FLAG …]\n"
        "       ganexp evaluate images=DIRECTORY|ZIP [GROUP=OPTION …] [KEY=VALUE …] [FLAG …]\n"
        "       ganexp evaluate images=DIRECTORY|ZIP real=DIRECTORY|ZIP [GROUP=OPTION …] [KEY=VALUE …] [FLAG …]\n"
        "       ganexp evaluate real=SPLIT [GROUP=OPTION …] [KEY=VALUE …] [FLAG …]",
        """
        ckpt=    score a checkpoint, or the best checkpoint of a run, with the metrics of its run or with other metrics.
                 The samples come from latents not used in training. The command writes nearest.png, diagnostics.png
                 and scores.json to the run directory, and sends the scores to the loggers of the run. With other
                 metrics, -EXTRACTOR is added to these file names. If the checkpoint is not the best one, its name is
                 added: scores-last.json for last.ckpt. For a directory of several runs, score each finished run
                 that has not been scored under the same protocol.
        images=  score images of any origin against a dataset, or against the real images of another directory.
        real=    score a split of the dataset against the other splits, which gives the scores of a perfect generator.
        """,
        """
        ganexp evaluate ckpt=outputs/NAME/TIME
        ganexp evaluate ckpt=outputs/NAME/TIME/checkpoints/last.ckpt samples=50000 references=[train]
        ganexp evaluate ckpt=outputs/NAME/TIME metrics=inception weights=FILE
        ganexp evaluate ckpt=outputs/sweep/TIME
        ganexp evaluate images=DIRECTORY data=cifar10 metrics=inception
        ganexp evaluate images=DIRECTORY real=DIRECTORY metrics=inception
        ganexp evaluate real=test data=mnist
        ganexp evaluate images=DIRECTORY --help        the settings of images= and real=
        """,
    ),
    "sample": CommandHelp(
        "draw samples from a checkpoint",
        "ganexp sample ckpt=FILE|RUN [KEY=VALUE …] [FLAG …]",
        """
        Draw samples from a checkpoint, or from the best checkpoint of a run. In addition to the images, save a sample
        grid, two interpolations, traversals of single latent components and, for a conditional generator, a grid with
        one class per row.
        """,
        """
        ganexp sample ckpt=outputs/NAME/TIME n=64
        ganexp sample ckpt=outputs/NAME/TIME n=50000 format=npz output=DIRECTORY
        """,
    ),
    "describe": CommandHelp(
        "print the networks and settings of a run and, with estimate=true, its time on this machine",
        "ganexp describe [GROUP=OPTION …] [KEY=VALUE …] [--json] [FLAG …]",
        """
        Print what ganexp train would do with the same arguments: networks and their parameters, losses, update rule,
        optimizers, length. With estimate=true, also time a few steps, and estimate hours, memory and disk space of the
        run on this machine. On a terminal, the command prints a line for each value that is not empty; to a file or
        pipe, or with --json, it prints JSON. The command needs no data, and writes no files. With -m, it describes
        every job of the sweep.
        """,
        """
        ganexp describe loss=hinge model=dcgan
        ganexp describe experiment=sagan/cifar10_2 estimate=true
        ganexp describe -m loss=hinge,wgan_gp estimate=true
        """,
    ),
    "resume": CommandHelp(
        "continue a run or a sweep that was stopped, or train a finished run longer",
        "ganexp resume RUN [schedule.steps=N | schedule.epochs=N] [data.root=DIRECTORY] [data.path=DIRECTORY|ZIP]\n"
        "                  [data.changed=accept]\n"
        "       ganexp resume SWEEP [hydra/launcher=…] [--config-dir DIRECTORY]",
        """
        Continue a stopped run from its last checkpoint, with the same result as without the stop. If its dataset has
        moved, give the new path. If its images or the feature extractor of its scores have changed, the command fails
        unless data.changed=accept. For a sweep, run the jobs that are not finished.
        """,
        """
        ganexp resume outputs/NAME/TIME
        ganexp resume outputs/NAME/TIME schedule.steps=20000
        ganexp resume outputs/NAME/TIME data.path=DIRECTORY
        ganexp resume outputs/sweep/TIME
        """,
    ),
    "list": CommandHelp(
        "list the published cases, or the options of a group: losses, models, data, …",
        "ganexp list [TOPIC] [--json] [--config-dir DIRECTORY]",
        """
        Without a topic, list the experiments: the published cases with their article, published scores and a sentence
        each. For an article, such as sagan, show the datasets, numbers of parameters and lengths of its cases. Other
        topics are layers and the config groups, such as losses, penalties, models, data or updates. For these, print a
        line for each option. docs/methods.md has the details.
        """,
        """
        ganexp list
        ganexp list sagan
        ganexp list losses
        ganexp list loss/penalty --json
        """,
    ),
    "report": CommandHelp(
        "compare runs on one page, with tables, curves and samples; with --bundle, pack a run into a zip file",
        "ganexp report DIRECTORY … [output=DIRECTORY] [images=false]\n"
        "       ganexp report --bundle RUN [output=DIRECTORY] [checkpoint=true]",
        """
        Compare all runs in the directories: one row for each configuration, with mean, standard deviation and
        confidence interval over seeds; differences between configurations; learning curves; samples side by side.
        The command writes index.html, a page that works offline, and the table as table.md, table.csv and table.tex.
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
