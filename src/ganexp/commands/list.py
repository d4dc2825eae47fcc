"""Run `ganexp list`: print the published cases, the options of a config group, or the layers.

This module must not import torch.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from statistics import mode
from textwrap import fill

from rich.table import Column, Table

from ganexp.arguments import LINE_LENGTH, Parser, UsageError
from ganexp.commands.cases import Case, as_json, cases
from ganexp.commands.help import COMMANDS, by_frequency, description, examples, mark_default
from ganexp.commands.options import EXPERIMENTS, LAYERS, Entry, entries, find_group, groups, layers
from ganexp.config.choices import takes_list
from ganexp.config.composition import CONF
from ganexp.console import make_console, say
from ganexp.errors import did_you_mean


def main(arguments: Sequence[str]) -> None:
    """Run `ganexp list` with the given arguments.

    Raises:
        UsageError: there is no such topic or flag.
    """
    parser = list_parser()
    given = parser.parse_args(arguments)
    folders = [CONF] if given.config_dir is None else [CONF, given.config_dir.expanduser().absolute()]
    names = [*groups(folders), LAYERS]
    topic = find_group(given.topic, names)
    if topic is None and (of_topic := cases(folders, given.topic, with_facts=True)):
        say(_as_json(of_topic)) if given.json else _print_cases(of_topic)
        return
    if topic is None:
        articles = {case.partition("/")[0] for case in groups(folders)[EXPERIMENTS]}
        question = did_you_mean(given.topic, [*names, *sorted(articles)])
        raise UsageError(
            f"{parser.prog}: there is no topic {given.topic!r}. {question}".rstrip() + f"\nTopics: {', '.join(names)}"
        )
    if topic == EXPERIMENTS:
        say(_as_json(cases(folders))) if given.json else _print_overview(cases(folders, with_facts=False))
        return
    options = layers() if topic == LAYERS else entries(topic, folders)
    say(json.dumps([asdict(option) for option in options], indent=2)) if given.json else _print_options(topic, options)


def list_parser() -> Parser:
    """Return the argparse parser of the command."""
    parser = Parser(
        "ganexp list",
        usage=COMMANDS["list"].usage,
        description=description("list"),
        epilog=examples("list"),
    )
    topics = ", ".join([*by_frequency(groups([CONF])), LAYERS])
    parser.add_argument(
        "topic",
        nargs="?",
        default=EXPERIMENTS,
        metavar="TOPIC",
        help=f"one of {topics}; or an article or case, such as sagan",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--config-dir", "-cd", type=Path, metavar="DIRECTORY", help="a directory with your own config files"
    )
    return parser


def _as_json(found: Sequence[Case]) -> str:
    return json.dumps([as_json(case) for case in found], indent=2)


def _by_article(found: Sequence[Case]) -> Iterator[list[Case]]:
    """Print the name and the source of each article, and yield its cases."""
    for article, members in groupby(found, lambda case: case.name.rpartition("/")[0]):
        of_article = list(members)
        source = mode(case.source for case in of_article).partition(";")[0]  # some cases have a source of their own
        say(_filled(f"{article}: {source}"))
        yield of_article


def _filled(text: str, indent: int = 0) -> str:
    """Return a text in lines of at most `LINE_LENGTH` characters; all lines but the first are indented."""
    return fill(text, LINE_LENGTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def _print_overview(found: Sequence[Case]) -> None:
    """Print a paragraph for each article, with the published scores and a sentence for each of its cases."""
    width = max((len(case.name) for case in found), default=0) + 2
    for of_article in _by_article(found):
        for case in of_article:
            scores = f"{case.published}. " if case.published else ""
            say(_filled(f"  {case.name:{width}}{scores}{case.description}", width + 2))
        say()
    say("Show parameters and steps of cases with: ganexp list ARTICLE. Train a case with: ganexp experiment=NAME")


def _print_cases(found: Sequence[Case]) -> None:
    """Print a table for each article: the cases, their numbers of network parameters, their epochs and their steps."""
    for of_article in _by_article(found):
        numeric = [Column(name, justify="right") for name in ("G", "D", "epochs", "steps")]
        table = Table("experiment", "dataset", "published", *numeric)
        for case in of_article:
            numbers = (case.generator_parameters, case.discriminator_parameters, case.epochs, case.steps)
            cells = ["–" if number is None else f"{round(number):,}" for number in numbers]
            table.add_row(case.name, case.dataset or "–", case.published or "–", *cells)
        make_console().print(table)
    say("G and D are the numbers of trainable parameters of the networks. Train a case with: ganexp experiment=NAME")


def _print_options(topic: str, options: Sequence[Entry]) -> None:
    """Print a line for each option: its name, and the sentence about it."""
    names = mark_default(topic, [option.name for option in options])
    width = max((len(name) for name in names), default=0) + 2
    for name, option in zip(names, options, strict=True):
        say(_filled(f"{name:{width}}{option.description}", width))
    if topic != LAYERS:
        several = takes_list(topic)
        say(f"Choose some with: ganexp '{topic}=[NAME,NAME]'" if several else f"Choose one with: ganexp {topic}=NAME")
