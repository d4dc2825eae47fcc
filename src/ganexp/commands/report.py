"""`ganexp report`: words on the command line to files in a folder."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ganexp.errors import UserError
from ganexp.report.bundle import bundle
from ganexp.report.collect import collect
from ganexp.report.page import as_page
from ganexp.report.samples import choose
from ganexp.report.tables import Report, as_csv, as_markdown, terminal, verdicts

USAGE = """usage: ganexp report FOLDER… [output=FOLDER] [images=false]
       ganexp report --bundle RUN [output=FOLDER] [checkpoint=true]

Compares the runs at any depth below the folders: configurations as rows, mean, standard deviation and 95 % interval
over seeds, differences with the verdict, learning curves, samples side by side. Leaves a page that opens from disk,
index.html, and the table as table.md and table.csv.

  output=FOLDER     where to write; default: report/ in the first folder
  images=false      a page without samples

--bundle packs one run to be handed on, NAME.zip beside it: config, scores with their provenance, curves, samples,
environment, a model card.

  output=FOLDER     where to write; default: beside the run
  checkpoint=true   with the best checkpoint"""

MARK = ".ganexp-report"  # a folder that has it is a report's own, and its files may be written anew


def main(words: Sequence[str]) -> None:
    """What `ganexp report WORDS…` does.

    Raises:
        UserError: words that say nothing, no such folder, no runs, or files of others in the way.
    """
    if words[:1] in (["--help"], ["-h"]):
        print(USAGE)
        return
    if words[:1] == ["--bundle"]:
        folders, given = _parse(words[1:], {"output": None, "checkpoint": "false"})
        if len(folders) != 1:
            raise UserError(USAGE)
        print(bundle(Path(folders[0]), given["output"], _flag("checkpoint", given["checkpoint"])))
        return
    folders, given = _parse(words, {"output": None, "images": "true"})
    if not folders:
        raise UserError(USAGE)
    report(folders, given["output"], _flag("images", given["images"]))


def report(folders: Sequence[str], output: str | None = None, images: bool = True) -> Path:
    """Writes the report on the runs in `folders`, prints its table, and returns the page's path."""
    found = Report.of(collect(folders))
    target = Path(output) if output else Path(folders[0]) / "report"
    pages = {"index.html": lambda: as_page(found, choose(found.groups) if images else None),
             "table.md": lambda: as_markdown(found), "table.csv": lambda: as_csv(found)}  # fmt: skip
    _claim(target, list(pages))
    for name, make in pages.items():
        part = target / f"{name}.part"
        part.write_text(make(), encoding="utf-8")
        os.replace(part, target / name)
    console = Console()
    console.print(terminal(found, console.width))
    for line in verdicts(found):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    if found.uncounted:
        out = f"{len(found.uncounted)} of {len(found.runs)}"
        print(f"{out} runs enter no mean, as they have not finished or were run again: the page names them.")
    for name in pages:
        console.print(str(target / name), soft_wrap=True, highlight=False, markup=False)
    return target / "index.html"


def _claim(target: Path, names: Sequence[str]) -> None:
    """Makes the folder, or finds it an earlier report's; files of others are left as they are."""
    taken = [name for name in names if (target / name).exists()]
    if taken and not (target / MARK).exists():
        raise UserError(f"{target} has a {taken[0]} that no report wrote. Name another folder: output=FOLDER")
    if target.exists() and not target.is_dir():
        raise UserError(f"{target} is no folder. Name another: output=FOLDER")
    try:
        target.mkdir(parents=True, exist_ok=True)
        (target / MARK).touch()
    except OSError as error:
        raise UserError(
            f"{target}: cannot write there ({error.strerror}). Name another folder: output=FOLDER"
        ) from None


def _parse(words: Sequence[str], known: dict[str, str | None]) -> tuple[list[str], dict[str, str | None]]:
    """Folders, and the values of the `known` keys."""
    folders, given = [], dict(known)
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key in known:
            given[key] = value
        elif word.startswith("-") or (equals and not Path(word).exists()):
            raise UserError(
                f"report: {word} is neither a folder nor one of {', '.join(f'{key}=' for key in known)}\n\n{USAGE}"
            )
        else:
            folders.append(word)
    return folders, given


def _flag(key: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise UserError(f"{key}={value}: give {key}=true or {key}=false")
    return value.lower() == "true"
