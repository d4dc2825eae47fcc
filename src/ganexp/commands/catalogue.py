"""The commands of ganexp, with the text that their help shows. Must not import torch.

A command without a config of its own has a module of its name here, whose `main(arguments)` runs it.
"""

from collections.abc import Mapping
from dataclasses import dataclass


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
