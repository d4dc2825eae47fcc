"""The command `ganexp report`: parse its arguments and write the files of a report, or the bundle of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganexp.console import make_console, say, short_path
from ganexp.errors import UserError
from ganexp.report.bundle import bundle
from ganexp.report.collect import collect
from ganexp.report.page import as_page
from ganexp.report.report import Report
from ganexp.report.samples import choose_samples
from ganexp.report.tables import as_csv, as_markdown
from ganexp.report.terminal import score_table, verdict_lines
from ganexp.runs.atomic import write_text

USAGE = """usage: ganexp report DIRECTORY… [output=DIRECTORY] [images=false]
       ganexp report --bundle RUN [output=DIRECTORY] [checkpoint=true]

Compare all runs below the directories: one row for each configuration, with mean, standard deviation and 95 % interval
over seeds; differences between configurations; learning curves; samples side by side. Writes index.html, a page that
opens from disk, and the table as table.md and table.csv.

  output=DIRECTORY  where to write; default: report/ in the first directory
  images=false      leave the samples out of the page

--bundle packs one run into a zip file beside it: config, scores and their protocol, curves, samples, environment, and
a model card.

  output=DIRECTORY  where to write; default: beside the run
  checkpoint=true   add the best checkpoint"""

FILES = ("index.html", "table.md", "table.csv")
MARKER = ".ganexp-report"  # marks a directory whose FILES may be overwritten, because a report wrote them


@dataclass(frozen=True)
class Arguments:
    """The parsed arguments of the command.

    Attributes:
        paths: the directories named.
        options: the values of the options by name.
    """

    paths: list[str]
    options: dict[str, str | None]

    def flag(self, name: str) -> bool:
        """Return the value of an option that is true or false.

        Raises:
            UserError: it is neither.
        """
        value = str(self.options[name]).lower()
        if value not in ("true", "false"):
            raise UserError(f"{name}={self.options[name]}: use {name}=true or {name}=false")
        return value == "true"


def main(arguments: Sequence[str]) -> None:
    """Run `ganexp report` with the given arguments.

    Raises:
        UserError: the arguments are wrong, there are no runs, or the output directory has files of others.
    """
    first = arguments[0] if arguments else ""
    if first in ("--help", "-h"):
        say(USAGE)
        return
    if first == "--bundle":
        parsed = parse(arguments[1:], {"output": None, "checkpoint": "false"})
        if len(parsed.paths) != 1:
            raise UserError(USAGE)
        say(short_path(bundle(Path(parsed.paths[0]), parsed.options["output"], parsed.flag("checkpoint"))))
        return
    parsed = parse(arguments, {"output": None, "images": "true"})
    if not parsed.paths:
        raise UserError(USAGE)
    report(parsed.paths, parsed.options["output"], parsed.flag("images"))


def report(directories: Sequence[str], output: str | None = None, images: bool = True) -> Path:
    """Write the report on all runs below `directories`, print its main numbers and return the path of the page.

    Args:
        directories: where to look for runs.
        output: the directory to write to; None: report/ in the first of `directories`.
        images: whether the page shows samples.

    Raises:
        UserError: there are no runs, or the output directory has files of others.
    """
    content = Report.from_runs(collect(directories))
    target = Path(output) if output else Path(directories[0]) / "report"
    _prepare(target)
    samples = choose_samples(content.groups) if images else None
    write_text(target / "index.html", as_page(content, samples))
    write_text(target / "table.md", as_markdown(content))
    write_text(target / "table.csv", as_csv(content))
    _print(content, target)
    return target / "index.html"


def parse(arguments: Sequence[str], defaults: dict[str, str | None]) -> Arguments:
    """Return the directories and options among `arguments`.

    Args:
        arguments: directories and OPTION=VALUE, in any order.
        defaults: the values of all options.

    Raises:
        UserError: an argument is neither a directory nor one of the options.
    """
    paths, options = [], dict(defaults)
    for argument in arguments:
        name, equals, value = argument.partition("=")
        is_assignment = bool(equals) and not Path(argument).exists()
        if equals and name in defaults:
            options[name] = value
        elif argument.startswith("-") or is_assignment:
            known = ", ".join(f"{option}=" for option in defaults)
            raise UserError(f"report: {argument} is neither a directory nor one of {known}\n\n{USAGE}")
        else:
            paths.append(argument)
    return Arguments(paths, options)


def _prepare(target: Path) -> None:
    """Create the output directory, or check that its files are those of an earlier report."""
    if target.exists() and not target.is_dir():
        raise UserError(f"{target} is not a directory. Name another one: output=DIRECTORY")
    existing = [name for name in FILES if (target / name).exists()]
    if existing and not (target / MARKER).exists():
        raise UserError(
            f"{target} has a {existing[0]} that no report has written. Name another directory: output=DIRECTORY"
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
        (target / MARKER).touch()
    except OSError as error:
        raise UserError(
            f"{target}: cannot write there ({error.strerror}). Name another directory: output=DIRECTORY"
        ) from None


def _print(content: Report, target: Path) -> None:
    console = make_console()
    console.print(score_table(content, console.width))
    for line in verdict_lines(content):
        say(line)
    if content.uncounted:
        say(
            f"{len(content.uncounted)} of {len(content.runs)} runs enter no mean, because they have not finished or a "
            "newer run replaces them. The page lists them."
        )
    for name in FILES:
        say(short_path(target / name))
