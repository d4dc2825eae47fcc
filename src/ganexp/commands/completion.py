"""Complete what Hydra does not complete in the shell: commands, experiments and paths.

This module must not import torch.
"""

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ganexp.arguments import CONFIGS, Command, UsageError, find_command
from ganexp.commands.catalogue import COMMANDS
from ganexp.commands.options import EXPERIMENTS, LAYERS, groups
from ganexp.config import schema
from ganexp.config.paths import path_keys

LINE = "COMP_LINE"  # the environment variable with the command line typed so far
ROOTS = {"evaluate": schema.Evaluate, "evaluate_images": schema.EvaluateImages, "sample": schema.Sample}
DIRECTORIES = ("hydra.run.dir", "hydra.sweep.dir", "sweep.resume")  # further settings that are paths


def complete(command: Command, folders: Sequence[Path]) -> Command:
    """Print ganexp's own completions, and return the command for which Hydra prints further ones.

    The name of the command is removed from the line that Hydra reads. If the shell does not ask for completions,
    `command` is returned unchanged.

    Args:
        command: the parsed command line of this process; for a completion, it is `ganexp -sc query=SHELL`.
        folders: the directories of config files.

    Raises:
        SystemExit: Hydra has nothing to add. If nothing is printed, the shell completes paths.
    """
    line = os.environ.get(LINE)
    if line is None:
        return command
    program, *words = line.split(" ")
    *before, word = words or [""]  # the last word is still being typed
    try:
        name = find_command(before)
    except UsageError:
        return command
    if offers := list(_values(word, name, folders)):
        print("\n".join(offers))
    if offers or (name is not None and name not in CONFIGS):
        sys.exit(0)
    if name is None:
        print("\n".join(each for each in COMMANDS if each.startswith(word)))
    else:
        words.remove(name)
    os.environ[LINE] = " ".join([program, *words])
    return replace(command, config_name=name or "train")


def _values(word: str, name: str | None, folders: Sequence[Path]) -> Iterator[str]:
    """Yield the completions of `word`, each of the form TOPIC, PATH, KEY=OPTION or KEY=PATH."""
    key, equals, value = word.partition("=")
    if name == "list":
        topics = groups(folders)
        articles = sorted({case.partition("/")[0] for case in topics[EXPERIMENTS]})
        yield from (topic for topic in [*topics, LAYERS, *articles] if topic.startswith(word))
    elif name is not None and name not in CONFIGS and not equals:
        yield from _paths(word)
    elif not equals:
        return
    elif (group := key.lstrip("+")) == EXPERIMENTS or ("," in value and group in groups(folders)):
        first, comma, last = value.rpartition(",")  # a sweep can have several options: GROUP=A,B
        options = groups(folders)[group]
        yield from (f"{key}={first}{comma}{option}" for option in options if option.startswith(last))
    elif key in {*path_keys(ROOTS.get(name or "train", schema.Train)), *DIRECTORIES}:
        yield from (f"{key}={path}" for path in _paths(value))


def _paths(value: str) -> list[str]:
    """Return the paths that begin with `value` and have no spaces. Directories end with a slash."""
    typed = os.path.expanduser(value)
    found = sorted(glob.glob(f"{glob.escape(typed)}*"))
    names = [f"{value}{path[len(typed) :]}{'/' if os.path.isdir(path) else ''}" for path in found]
    return [name for name in names if not set(name) & set(" \t\n")]
