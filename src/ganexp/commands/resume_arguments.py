"""Parse the arguments of `ganexp resume`. This module must not import torch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganexp.arguments import Parser
from ganexp.commands.help import COMMANDS, description, examples
from ganexp.runs.run_directory import RunDirectory
from ganexp.runs.sweep_directory import SweepDirectory

OVERRIDES = {  # the overrides that a resumed run accepts, and the form of each value
    "schedule.steps": re.compile(r"\d+"),
    "schedule.epochs": re.compile(r"\d+"),
    "data.root": re.compile(r".+"),
    "data.path": re.compile(r".+"),
    "data.changed": re.compile(r"accept|refuse"),
}


@dataclass(frozen=True)
class ResumeArguments:
    """The parsed arguments of `ganexp resume`.

    Attributes:
        path: path of a run directory or a sweep directory.
        steps: the new length of a run in steps; None keeps the length.
        epochs: the new length of a run in epochs, given instead of `steps`; None keeps the length.
        data_root: the new directory of the datasets; None keeps the directory.
        data_path: the new directory or zip of images; None keeps the path.
        data_changed: whether a run continues although its images or the protocol of its scores have changed.
        sweep: the command line that resumes the sweep in `path`; None if `path` is not a sweep.
    """

    path: str
    steps: int | None = None
    epochs: int | None = None
    data_root: str | None = None
    data_path: str | None = None
    data_changed: bool = False
    sweep: tuple[str, ...] | None = None


def parse_resume(arguments: Sequence[str]) -> ResumeArguments:
    """Return the parsed arguments.

    Raises:
        UsageError: the path is missing, or an argument is not allowed for a resumed run or sweep.
    """
    parser = resume_parser()
    given = parser.parse_intermixed_args(arguments)
    if SweepDirectory(given.path).file.exists():
        config_dir = ("--config-dir", given.config_dir) if given.config_dir else ()
        return ResumeArguments(given.path, sweep=(f"sweep.resume={given.path}", *given.overrides, *config_dir))
    if given.config_dir and RunDirectory(given.path).config.exists():
        parser.error("--config-dir is for sweeps only: a resumed run keeps its config")
    values = dict(_parse_override(override, parser) for override in given.overrides)
    lengths = {key: int(values[f"schedule.{key}"]) for key in ("steps", "epochs") if f"schedule.{key}" in values}
    if len(lengths) > 1:
        parser.error("schedule.steps and schedule.epochs: give one of the two, because each determines the other")
    return ResumeArguments(
        given.path,
        steps=lengths.get("steps"),
        epochs=lengths.get("epochs"),
        data_root=values.get("data.root"),
        data_path=values.get("data.path"),
        data_changed=values.get("data.changed") == "accept",
    )


def _parse_override(override: str, parser: Parser) -> tuple[str, str]:
    """Return the key and the value of an override that is allowed for a resumed run."""
    key, equals, value = override.partition("=")
    if not equals and Path(override).exists():
        parser.error(f"{override}: give one run or one sweep. To resume all jobs of a sweep, give its directory")
    if key not in OVERRIDES or not OVERRIDES[key].fullmatch(value):
        parser.error(
            f"{override}: a resumed run keeps its config; it accepts only schedule.steps=N, schedule.epochs=N, "
            "data.root=DIRECTORY, data.path=DIRECTORY|ZIP and data.changed=accept"
        )
    return key, value


def resume_parser() -> Parser:
    """Return the argparse parser of the command."""
    parser = Parser(
        "ganexp resume",
        usage=COMMANDS["resume"].usage,
        description=description("resume"),
        epilog=examples("resume"),
    )
    parser.add_argument("path", metavar="RUN|SWEEP", help="a run directory, or a sweep directory")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],  # otherwise argparse would call these arguments required
        metavar="KEY=VALUE",
        help="for a run: schedule.steps=N or schedule.epochs=N, its new length (default: as before); data.root=… and "
        "data.path=…, the new location of its images; data.changed=accept, to continue although the images or the "
        "feature extractor have changed. For a sweep: hydra/launcher=… and hydra.launcher.…=…, how its jobs are "
        "started (default: one after another)",
    )
    parser.add_argument(
        "--config-dir", "-cd", metavar="DIRECTORY", help="the directory with your own config files for the sweep"
    )
    return parser
