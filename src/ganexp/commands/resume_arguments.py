"""Parse the arguments of `ganexp resume`. Must not import torch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ganexp.arguments import Parser
from ganexp.commands.help import COMMANDS, description, examples
from ganexp.runs.sweep_directory import SweepDirectory

STEPS = re.compile(r"schedule\.steps=(\d+)")


@dataclass(frozen=True)
class ResumeArguments:
    """The parsed arguments of `ganexp resume`.

    Attributes:
        path: of a run directory or a sweep directory.
        steps: the new length of a run; None keeps it.
        sweep: the command line that resumes the sweep in `path`; None if it is no sweep.
    """

    path: str
    steps: int | None = None
    sweep: tuple[str, ...] | None = None


def parse_resume(arguments: Sequence[str]) -> ResumeArguments:
    """Return the parsed arguments.

    Raises:
        UsageError: no path, or an argument that a resumed run or sweep does not take.
    """
    parser = resume_parser()
    given = parser.parse_intermixed_args(arguments)
    if SweepDirectory(given.path).file.exists():
        config_dir = ("--config-dir", given.config_dir) if given.config_dir else ()
        return ResumeArguments(given.path, sweep=(f"sweep.resume={given.path}", *given.overrides, *config_dir))
    steps = [STEPS.fullmatch(override) for override in given.overrides]
    if given.config_dir or len(steps) > 1 or None in steps:
        parser.error("a run takes no other argument than schedule.steps=N, since the rest of its config is kept")
    return ResumeArguments(given.path, *(int(match[1]) for match in steps if match))


def resume_parser() -> Parser:
    """Return the argparse parser of the command."""
    parser = Parser(
        "ganexp resume",
        usage=COMMANDS["resume"].usage,
        description=description("resume"),
        epilog=examples("resume"),
    )
    parser.add_argument("path", metavar="RUN|SWEEP", help="a run directory, or the directory of a sweep")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="of a run: schedule.steps=N, its new length (default: as before); of a sweep: hydra/launcher=… and "
        "hydra.launcher.…=…, how its jobs are started (default: one after another)",
    )
    parser.add_argument(
        "--config-dir", "-cd", metavar="DIRECTORY", help="the directory of your own config files that the sweep uses"
    )
    return parser
