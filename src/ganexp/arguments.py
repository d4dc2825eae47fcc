"""Parse the command line into a command and its arguments. This module must not import torch."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from ganexp.commands.catalogue import COMMANDS
from ganexp.errors import did_you_mean
from ganexp.runs.sweep_directory import PRESETS

CONFIGS = ("train", "evaluate", "evaluate_images", "sample", "describe")  # Hydra's primary configs
INFO_TOPICS = ("all", "aliases", "config", "defaults", "defaults-tree", "plugins", "searchpath")
LINE_LENGTH = 120  # characters in a line of a help text
NAME_FLAGS = ("--config-name", "-cn")
MULTIRUN_FLAGS = ("--multirun", "-m")
# The flags that are passed on to Hydra: the names of each flag, whether a value follows it, and its help text.
HYDRA_FLAGS = (
    (MULTIRUN_FLAGS, False, "run a sweep, with one job for each combination of the values that commas separate"),
    (("--cfg", "-c"), True, "print the config instead of running it; VALUE: job, hydra or all"),
    (("--resolve",), False, "with --cfg: replace every interpolation by its value"),
    (("--package", "-p"), True, "with --cfg: print only the part of the config under the key VALUE"),
    (("--config-dir", "-cd"), True, "a directory with your own config files, in addition to those of ganexp"),
    (("--config-path", "-cp"), True, "a directory of config files to use instead of ganexp's own directory"),
    (NAME_FLAGS, True, f"the primary config; VALUE: {', '.join(CONFIGS)}"),
    (("--info", "-i"), True, "print how the config is composed; VALUE: all, config, defaults, searchpath, …"),
    (("--experimental-rerun",), True, "run a job again; VALUE: its pickled config, or with Hydra 1.4 its directory"),
    (("--shell-completion", "-sc"), False, "tab completion: install=bash (also for zsh), install=fish or uninstall=…"),
    (("--run", "-r"), False, "run the config instead of printing it; this is the default"),
    (("--hydra-help",), False, "show the help of Hydra itself"),
)
# The flags that are also listed in the help of evaluate, sample and describe.
SHARED_FLAGS = ("--multirun", "--cfg", "--resolve", "--package", "--config-dir")
DRY_RUN_FLAG, JSON_FLAG = "--dry-run", "--json"
DRY_RUN, JSON = "debug.dry_run=true", "json=true"  # the overrides that these two flags stand for
HELP = "help"  # `ganexp help COMMAND` means `ganexp COMMAND --help`
GENERAL_USAGE = "ganexp [COMMAND] [GROUP=OPTION …] [KEY=VALUE …] [FLAG …]"
OTHER_DASHES = "‐‑‒–—―−"  # dashes that word processors and web pages put in place of a hyphen


class UsageError(Exception):
    """Raised for an invalid command line: an unknown command or flag, or wrong arguments. The exit code is 2."""


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises UsageError instead of exiting, and keeps the line breaks of descriptions."""

    def __init__(self, prog: str, **options: Any) -> None:
        layout = partial(argparse.RawDescriptionHelpFormatter, max_help_position=34, width=LINE_LENGTH)
        super().__init__(prog, allow_abbrev=False, formatter_class=layout, **options)
        self._positionals.title, self._optionals.title = "Arguments", "Flags"

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError with the usage and the message."""
        raise UsageError(f"{self.format_usage()}{self.prog}: error: {message}\nSee {self.prog} --help")


@dataclass(frozen=True)
class Command:
    """A parsed command line.

    Attributes:
        name: name of the command, one of `COMMANDS`, or --version.
        arguments: the overrides, including those that --dry-run and --json stand for; for a command without a primary
            config, such as `resume`, all its arguments.
        flags: Hydra's flags with their values, except --config-name and --multirun.
        config_name: the name of Hydra's primary config, one of `CONFIGS`; empty for a command without a primary config.
        config_dir: the value of --config-dir.
        is_named: whether the command line names the command or a primary config.
        is_sweep: whether the command line asks for a sweep, by --multirun or by an option of a group in `PRESETS`.
        wants_help: whether the command line has --help.
    """

    name: str
    arguments: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    config_name: str = ""
    config_dir: Path | None = None
    is_named: bool = True
    is_sweep: bool = False
    wants_help: bool = False

    def argv(self) -> list[str]:
        """Return the command line in the form that Hydra expects; `parse` turns it into the same command again."""
        if "--experimental-rerun" in self.flags:  # Hydra takes the primary config from the record of the job
            return [*self.flags, *self.arguments]
        multirun = ["--multirun"] if self.is_sweep else []
        return ["--config-name", self.config_name, *multirun, *self.flags, *self.arguments]


def parse(argv: Sequence[str]) -> Command:
    """Return the parsed command line.

    The command's name may follow flags and overrides. The default command is train.

    Raises:
        UsageError: there is no such command or flag, or an argument is not an override.
    """
    if argv and argv[0] == HELP:
        argv = [*argv[1:], "--help"]
    argv = _with_info_topic(argv)
    name = find_command(argv)
    others = list(argv)
    if name is not None:
        others.remove(name)
    if name is not None and name not in CONFIGS:
        return Command(name, tuple(others))
    parser = hydra_parser(name)
    options, unknown = parser.parse_known_intermixed_args(others)
    if unknown:
        parser.error(_describe_unknown(unknown, others, name))
    if options.version:
        return Command("--version")
    overrides = [argument for argument in options.overrides if argument]
    for override in overrides:
        if not _is_override(override):
            example = f", perhaps ckpt={override}" if name in ("evaluate", "sample") else ""
            parser.error(f"{override} is not an override: write key=value{example}")
    named = name or options.config_name
    config_name = "evaluate_images" if named == "evaluate" and _has_images(overrides) else named or "train"
    if config_name not in CONFIGS:
        parser.error(f"--config-name={config_name}: use one of {', '.join(CONFIGS)}")
    is_sweep = options.multirun or (_has_preset(overrides) and not _only_shows(options))
    overrides += _own_flags(parser, options, config_name, is_sweep)
    return Command(
        name="evaluate" if config_name == "evaluate_images" else config_name,
        arguments=tuple(overrides),
        flags=tuple(_flags(others, options.overrides)),
        config_name=config_name,
        config_dir=Path(options.config_dir).expanduser().absolute() if options.config_dir else None,
        is_named=named is not None,
        is_sweep=is_sweep,
        wants_help=options.help,
    )


def _own_flags(parser: Parser, options: argparse.Namespace, config_name: str, is_sweep: bool) -> list[str]:
    """Return the overrides that --dry-run and --json stand for.

    Raises:
        UsageError: the command does not support one of the two flags.
    """
    overrides = []
    if options.dry_run:
        if config_name != "train":
            parser.error(f"{DRY_RUN_FLAG} is an option of ganexp train only")
        if is_sweep:
            parser.error(f"{DRY_RUN_FLAG} is for a single run. To see every job of a sweep: ganexp describe -m …")
        overrides.append(DRY_RUN)
    if options.json:
        if config_name != "describe":
            parser.error(f"{JSON_FLAG} is an option of ganexp describe and ganexp list only")
        overrides.append(JSON)
    return overrides


def find_command(argv: Sequence[str]) -> str | None:
    """Return the name of the command; None if `argv` does not name one.

    The name is the first argument that is neither a flag, nor the value of a flag, nor an override.

    Raises:
        UsageError: this argument is not the name of a command.
    """
    parser = hydra_parser(None)
    options, unknown = parser.parse_known_intermixed_args(argv)
    name = next((argument for argument in options.overrides if argument and not _is_override(argument)), None)
    if name is not None and name not in COMMANDS:
        if unknown:
            parser.error(_describe_unknown(unknown, argv, None))
        if name[0] in OTHER_DASHES:
            parser.error(f"{name} begins with a dash that is not a hyphen: write -{name.lstrip(OTHER_DASHES + '-')}")
        commands = [*COMMANDS, HELP]
        question = _topic_hint(name) or did_you_mean(name, commands)
        parser.error(
            f"unknown command {name!r}. {question}".rstrip()
            + f"\nCommands: {', '.join(commands)}. A setting is written as key=value."
        )
    return name


def _topic_hint(name: str) -> str:
    """Return a sentence on how to list the options of the config group `name`; empty if there is no such group."""
    from ganexp.commands.options import find_group, groups  # imported late: only error messages need the config
    from ganexp.config.composition import CONF

    return f"To see its options: ganexp list {name}." if find_group(name, list(groups([CONF]))) else ""


def _describe_unknown(unknown: Sequence[str], argv: Sequence[str], name: str | None) -> str:
    """Return an error message for unknown flags, with the correct overrides if the flags name settings or groups."""
    from ganexp.config.flags import as_overrides  # imported late: only error messages need the config

    text = f"unrecognized arguments: {' '.join(unknown)}"
    overrides = as_overrides(unknown, argv, name or "train")
    if overrides:
        return f"{text}\nSettings have no dashes: write {' '.join(overrides)}"
    flags = [DRY_RUN_FLAG, JSON_FLAG, *(flag for names, _, _ in HYDRA_FLAGS for flag in names if flag.startswith("--"))]
    return f"{text}. {did_you_mean(unknown[0], flags)}".rstrip(". ")


def hydra_parser(name: str | None, usage: str | None = None) -> Parser:
    """Return the parser of a command with a Hydra config.

    Args:
        name: name of the command; None if the command line names no command.
        usage: the usage text; by default, the text of the command in `COMMANDS`, or GENERAL_USAGE if `name` is None.
    """
    usage = usage or (COMMANDS[name].usage if name and name in COMMANDS else GENERAL_USAGE)
    parser = Parser(f"ganexp {name}" if name else "ganexp", usage=usage, add_help=False)
    parser.add_argument("overrides", nargs="*", help=argparse.SUPPRESS)
    flags = parser.add_argument_group("Flags")
    flags.add_argument("--help", "-h", action="store_true", help="show this help, with the given overrides applied")
    flags.add_argument("--version", action="store_true", help="show the version of ganexp")
    dry_run = "build the networks, and read and describe the dataset; train nothing, and keep no files"
    flags.add_argument(
        DRY_RUN_FLAG, action="store_true", help=dry_run if name in (None, "train") else argparse.SUPPRESS
    )
    as_json = "print JSON on a terminal too, instead of readable lines" if name == "describe" else argparse.SUPPRESS
    flags.add_argument(JSON_FLAG, action="store_true", help=as_json)
    for names, has_value, text in HYDRA_FLAGS:
        form: dict[str, Any] = {"metavar": "VALUE"} if has_value else {"action": "store_true"}
        is_shown = name in (None, "train") or names[0] in SHARED_FLAGS
        flags.add_argument(*names, help=text if is_shown else argparse.SUPPRESS, **form)
    return parser


def _with_info_topic(argv: Sequence[str]) -> list[str]:
    """Return the arguments with the topic `all` added after --info, if no topic follows.

    Otherwise argparse would take the next argument, such as the name of the command, as the topic.
    """
    arguments: list[str] = []
    for argument, following in zip(argv, [*argv[1:], ""], strict=False):
        arguments.append(argument)
        if argument in ("--info", "-i") and following not in INFO_TOPICS:
            arguments.append("all")
    return arguments


def _is_override(argument: str) -> bool:
    return "=" in argument or argument.startswith("~")


def _flags(arguments: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """Return Hydra's flags among the arguments, without --config-name and --multirun."""
    own = ("--help", "-h", DRY_RUN_FLAG, JSON_FLAG, *MULTIRUN_FLAGS)
    flags = [argument for argument in arguments if argument not in own]
    for override in overrides:
        flags.remove(override)
    kept, skips_value = [], False
    for flag in flags:
        if skips_value or flag.startswith(tuple(f"{name}=" for name in NAME_FLAGS)):
            skips_value = False
        elif flag in NAME_FLAGS:
            skips_value = True
        else:
            kept.append(_expand_home(flag))
    return kept


def _expand_home(flag: str) -> str:
    """Return a flag or the value of a flag, with `~` at the start of a path replaced by the home directory."""
    name, equals, value = flag.partition("=") if flag.startswith("-") else ("", "", flag)
    return f"{name}{equals}{os.path.expanduser(value)}"


def _has_preset(overrides: Sequence[str]) -> bool:
    """Return whether the overrides choose a preset of a sweep or a search, or set hydra.mode to MULTIRUN."""
    keys = dict(override.lstrip("+").split("=", 1) for override in overrides if "=" in override)
    is_preset = any(keys.get(group, "null") != "null" for group in PRESETS)
    return is_preset or keys.get("hydra.mode") == "MULTIRUN"


def _only_shows(options: argparse.Namespace) -> bool:
    """Return whether a flag makes Hydra print something or start a single run, so that --multirun is not possible."""
    return any((options.cfg, options.info, options.shell_completion, options.hydra_help, options.run))


def _has_images(overrides: Sequence[str]) -> bool:
    """Return whether the overrides let `evaluate` score images instead of a checkpoint."""
    return any(override.startswith(("images=", "real=")) for override in overrides)
