"""Run `ganexp report`: parse its arguments, and write the files of a report or the bundle of a run."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from ganexp.arguments import Parser
from ganexp.commands.help import COMMANDS, description, examples
from ganexp.console import make_console, say, short_path
from ganexp.errors import UserError
from ganexp.report.baseline import find_baselines
from ganexp.report.bundle import bundle
from ganexp.report.collect import collect
from ganexp.report.finding import finding, other_differences
from ganexp.report.latex import as_latex
from ganexp.report.page import as_page
from ganexp.report.report import Report
from ganexp.report.run import WITHOUT_SETTINGS
from ganexp.report.samples import choose_samples
from ganexp.report.tables import as_csv, as_markdown
from ganexp.report.terminal import label_lines, left_out, numbered, score_table, verdict_lines
from ganexp.runs.atomic import write_text

SETTINGS = """Settings
  output=DIRECTORY  where to write; default: report/ in the first directory; with --bundle: next to the run
  images=false      leave the samples out of the page; default: true
  checkpoint=true   with --bundle: add the best checkpoint; default: false"""
FILES = ("index.html", "table.md", "table.tex", "table.csv")
MAX_SKIPPED = 5  # runs without settings that are listed on the terminal
MARKER = ".ganexp-report"  # marks a directory whose FILES may be overwritten, because a report wrote them


@dataclass(frozen=True)
class Arguments:
    """The directories and options of the command.

    Attributes:
        paths: the given directories.
        options: the value of each option; the keys are the names of the options.
    """

    paths: list[str]
    options: dict[str, str | None]

    def flag(self, name: str) -> bool:
        """Return the value of an option that is true or false.

        Raises:
            UsageError: the value is neither true nor false.
        """
        value = str(self.options[name]).lower()
        if value not in ("true", "false"):
            report_parser().error(f"{name}={self.options[name]}: use {name}=true or {name}=false")
        return value == "true"


def main(arguments: Sequence[str]) -> None:
    """Run `ganexp report` with the given arguments.

    Raises:
        UsageError: the arguments are wrong.
        UserError: as in `report` and `bundle`.
    """
    parser = report_parser()
    given = parser.parse_intermixed_args(arguments)
    if not given.bundle:
        parsed = parse(given.arguments, {"output": None, "images": "true"})
        report(parsed.paths, parsed.options["output"], parsed.flag("images"))
        return
    parsed = parse(given.arguments, {"output": None, "checkpoint": "false"})
    if len(parsed.paths) != 1:
        parser.error("--bundle needs exactly one run directory")
    say(short_path(bundle(Path(parsed.paths[0]), parsed.options["output"], parsed.flag("checkpoint"))))


def report_parser() -> Parser:
    """Return the argparse parser of the command."""
    parser = Parser(
        "ganexp report",
        usage=COMMANDS["report"].usage,
        description=description("report"),
        epilog=f"{SETTINGS}\n\n{examples('report')}",
    )
    parser.add_argument("arguments", nargs="+", metavar="DIRECTORY", help="run directories, or parent directories")
    parser.add_argument("--bundle", action="store_true", help="pack the given run into a zip file")
    return parser


def report(directories: Sequence[str], output: str | None = None, images: bool = True) -> Path:
    """Write the report on all runs in `directories`, print its main numbers, and return the path of the page.

    Args:
        directories: directories to search for runs.
        output: the directory to write to; None means report/ in the first of `directories`.
        images: whether the page shows samples.

    Raises:
        UserError: there are no runs, the output directory cannot be written or has files that no report has written, or
            ganexp would write through a link that the user has not given.
    """
    content = Report.from_runs(collect(directories), find_baselines(directories))
    target = Path(output).expanduser() if output else Path(directories[0]).expanduser() / "report"
    _refuse_links([target / MARKER] if output else [target, target / MARKER])
    _prepare(target)
    samples = choose_samples(content.configurations, content.best_run) if images else None
    write_text(target / "index.html", as_page(content, samples, target))
    write_text(target / "table.md", as_markdown(content))
    write_text(target / "table.tex", as_latex(content))
    write_text(target / "table.csv", as_csv(content))
    _print(content, target)
    return target / "index.html"


def parse(arguments: Sequence[str], defaults: Mapping[str, str | None]) -> Arguments:
    """Return the directories and options among `arguments`.

    Args:
        arguments: directories, and options in the form OPTION=VALUE, in any order.
        defaults: the default values of all options.

    Raises:
        UsageError: an argument is neither a directory nor an option, or no directory is given.
    """
    paths, options = [], dict(defaults)
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if equals and name in defaults:
            options[name] = value
        elif equals and not Path(argument).exists():
            known = ", ".join(f"{option}=" for option in defaults)
            report_parser().error(f"{argument} is neither a directory nor one of {known}")
        else:
            paths.append(argument)
    if not paths:
        report_parser().error("give a directory that holds runs, for example: ganexp report outputs")
    return Arguments(paths, options)


def _refuse_links(places: Sequence[Path]) -> None:
    """Refuse to write through links, because runs and their reports may come from an untrusted source."""
    for place in places:
        if place.is_symlink():
            raise UserError(
                f"{place} is a link to {place.readlink()}. ganexp does not write through links: remove the link, or "
                "give another directory: output=DIRECTORY"
            )


def _prepare(target: Path) -> None:
    """Create the output directory, or check that its files were written by an earlier report."""
    if target.exists() and not target.is_dir():
        raise UserError(f"{target} is not a directory. Give another directory: output=DIRECTORY")
    existing = [name for name in FILES if (target / name).exists()]
    if existing and not (target / MARKER).exists():
        raise UserError(
            f"{target} has a file {existing[0]} that no report has written. Give another directory: output=DIRECTORY"
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
        (target / MARKER).touch()
    except OSError as error:
        raise UserError(
            f"{target}: cannot write to this directory ({error.strerror}). Give another directory: output=DIRECTORY"
        ) from None


def _print(content: Report, target: Path) -> None:
    console = make_console()
    console.print(score_table(content, console.width))
    labels, differences = label_lines(content, console.width), other_differences(content)
    with numbered(content) if labels else nullcontext():
        sentences = [finding(content), differences, *verdict_lines(content)]
    for line in filter(None, [*labels, left_out(content, console.width), *sentences]):
        say(line)
    skipped = [run for run in content.uncounted if run.status in WITHOUT_SETTINGS]
    for run in skipped[:MAX_SKIPPED]:
        say(f"skipped {run.label}: {run.warnings[0]}")
    if content.uncounted:
        say(
            f"not included in any mean: {len(content.uncounted)} of {len(content.runs)} runs. Each of them is "
            "unfinished, unreadable or replaced by a newer run. The page lists them."
        )
    for name in FILES:
        say(short_path(target / name))
