"""Parse the arguments of the command line. Must not import torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganexp.errors import UserError

CONFIGS = ("train", "evaluate", "evaluate_images", "sample", "describe")  # Hydra's primary configs
COMMANDS = ("train", "evaluate", "sample", "describe", "resume", "report")
FLAGS_WITH_VALUE = (
    *("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn"),
    *("--package", "-p", "--cfg", "-c", "--experimental-rerun"),
)
INFO_TOPICS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")  # may follow --info


@dataclass(frozen=True)
class Command:
    """A parsed command line.

    Attributes:
        name: one of `COMMANDS`, or --version.
        arguments: overrides; of `resume` and `report`, everything that was given to them.
        flags: Hydra's flags with their values, except --config-name.
        config_name: Hydra's primary config, one of `CONFIGS`; None for a command without one.
    """

    name: str
    arguments: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    config_name: str | None = None

    def argv(self) -> list[str]:
        """Return the arguments in Hydra's form; to parse them gives the same command."""
        return ["--config-name", str(self.config_name), *self.flags, *self.arguments]


def parse(argv: Sequence[str]) -> Command:
    """Return the command in `argv`, which may stand after flags and overrides; without one it is train.

    Raises:
        UserError: there is no such command, or an argument that is no override.
    """
    position = command_position(argv)
    name = None if position is None else argv[position]
    if name is not None and name not in COMMANDS:
        known = ", ".join(COMMANDS)
        raise UserError(f"There is no command {name!r}: use one of {known}, or key=value. See ganexp --help.")
    others = [argument for place, argument in enumerate(argv) if place != position]
    if name in ("resume", "report"):
        return Command(name, tuple(others))
    of_flags = _flag_positions(others)
    flags = [argument for place, argument in enumerate(others) if place in of_flags]
    overrides = tuple(argument for place, argument in enumerate(others) if place not in of_flags)
    if "--version" in flags:
        return Command("--version")
    stray = command_position(overrides)
    if stray is not None:
        example = f", perhaps ckpt={overrides[stray]}" if name in ("evaluate", "sample") else ""
        raise UserError(f"{overrides[stray]} is not an override: write key=value{example}")
    given_config, flags = _take_config_name(flags)
    name = name or given_config or "train"
    config_name = "evaluate_images" if name == "evaluate" and _has_images(overrides) else name
    if config_name not in CONFIGS:
        raise UserError(f"--config-name={config_name}: use one of {', '.join(CONFIGS)}")
    return Command("evaluate" if name == "evaluate_images" else name, overrides, tuple(flags), config_name)


def command_position(argv: Sequence[str]) -> int | None:
    """Return the position of the first argument that is neither a flag, nor a flag's value, nor an override."""
    of_flags = _flag_positions(argv)
    for place, argument in enumerate(argv):
        if argument and place not in of_flags and "=" not in argument and not argument.startswith("~"):
            return place
    return None


def _flag_positions(argv: Sequence[str]) -> set[int]:
    """Return the positions of flags and of their values."""
    positions: set[int] = set()
    for place, argument in enumerate(argv):
        before = argv[place - 1] if place - 1 in positions else ""
        is_value = before in FLAGS_WITH_VALUE or (before in ("--info", "-i") and argument in INFO_TOPICS)
        if argument.startswith("-") or is_value:
            positions.add(place)
    return positions


def _take_config_name(flags: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return the value of --config-name, None without one, and the other flags."""
    name, others = None, []
    remaining = iter(flags)
    for flag in remaining:
        if flag in ("--config-name", "-cn"):
            name = next(remaining, None)
        elif flag.startswith(("--config-name=", "-cn=")):
            name = flag.partition("=")[2]
        else:
            others.append(flag)
    return name, others


def config_dir(flags: Sequence[str]) -> Path | None:
    """Return the value of --config-dir, None without one."""
    for flag, following in zip(flags, [*flags[1:], ""], strict=False):
        if flag in ("--config-dir", "-cd"):
            return Path(following).absolute()
        if flag.startswith(("--config-dir=", "-cd=")):
            return Path(flag.partition("=")[2]).absolute()
    return None


def _has_images(overrides: Sequence[str]) -> bool:
    """Return whether `evaluate` is asked to score images instead of a checkpoint."""
    return any(override.startswith(("images=", "real=")) for override in overrides)
