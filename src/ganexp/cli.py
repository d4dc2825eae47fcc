"""The command line. A command is a primary config; `resume`, `report`: words of their own. No torch: quick."""

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import env_override
from hydra.errors import CompactHydraException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from ganexp import __version__
from ganexp.commands.sweep import begun, resumed_words, run_point
from ganexp.config import schema
from ganexp.config.suggestions import advise
from ganexp.errors import UserError
from ganexp.runs.sweep_directory import SweepFolder

HERE = Path(__file__).resolve().parent
CONF = HERE / "conf" if (HERE / "conf").is_dir() else HERE.parents[1] / "conf"  # in a wheel, else in a checkout
VALUED = ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--package", "-p")  # a value follows
COMMANDS = ("train", "evaluate", "sample", "describe")


class ConfigError(CompactHydraException):
    """What Hydra prints without a traceback."""


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def run(cfg: DictConfig) -> Any:
    """Runs the command whose config was composed; a sweep gets what it returns."""
    hydra_config = HydraConfig.get()
    choices, folder = hydra_config.runtime.choices, hydra_config.runtime.output_dir
    groups = {name: choice for name, choice in choices.items() if not name.startswith("hydra")}

    def start() -> Any:
        try:
            return _start(hydra_config, cfg, groups)
        except UserError as error:
            _remove_if_empty(Path(folder))
            raise UserError(f"{error}{_hint(groups) if 'unexpected keyword' in str(error) else ''}") from None

    sweeping, command = hydra_config.mode == RunMode.MULTIRUN, hydra_config.job.config_name
    try:
        if sweeping and command == "train":
            return run_point(folder, hydra_config.sweep.dir, list(hydra_config.overrides.task), start)
        told = start()
        if command == "describe" and not sweeping:
            print(json.dumps(told, indent=2))
        return told
    except UserError as error:
        if sweeping and command == "describe":
            return {"error": str(error)}
        if sweeping:  # the others go on
            raise ConfigError(str(error)) from None
        sys.exit(str(error))


def _start(hydra_config: DictConfig, cfg: DictConfig, groups: dict[str, str | None]) -> Any:
    command = hydra_config.job.config_name
    if command == "evaluate":
        from ganexp.commands.evaluate import evaluate

        return evaluate(cfg)
    cfg = schema.resolve(cfg)
    if command == "train":
        from ganexp.commands.train import train

        cfg.name = schema.run_name(cfg.name, *(groups[name] for name in ("experiment", "data", "model", "loss")))
        return train(cfg, hydra_config.runtime.output_dir, groups, list(hydra_config.overrides.task))
    if command == "evaluate_images":
        from ganexp.commands.evaluate import evaluate_images

        return evaluate_images(cfg)
    if command == "sample":
        from ganexp.commands.sample import sample

        return sample(cfg)
    from ganexp.commands.describe import describe

    return describe(cfg, groups)


def _hint(groups: dict[str, str | None]) -> str:
    """A line about a choice that suits few networks, where one of them has refused a setting."""
    article = groups.get("as_published")
    if article and article != "none":
        return f"\npublished={article} is meant for the networks of the article's own cases: see docs/published.md"
    if groups.get("loss/auxiliary"):
        return "\nloss/auxiliary needs a discriminator that offers head=…: use model=dcgan"
    return ""


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["--version"]:
        print(f"ganexp {__version__}")
        return
    schema.register()
    if words[:1] == ["resume"] and len(words) > 1 and SweepFolder(words[1]).file.exists():
        sys.argv[1:] = words = [f"sweep.resume={words[1]}", *words[2:]]
    if words[:1] == ["resume"]:
        _resume(words[1:])
        return
    if words[:1] == ["report"]:
        _report(words[1:])
        return
    if words and "=" not in words[0] and words[0][:1] not in ("-", "~") and words[0] not in COMMANDS:
        commands = ", ".join((*COMMANDS, "resume", "report"))
        sys.exit(f"There is no command {words[0]!r}: use one of {commands}, or key=value. See ganexp --help.")
    _complete()
    sys.argv[1:] = _as_config(_with_sweep(sys.argv[1:]))
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        run()
        return
    begun.clear()
    try:
        with env_override({"HYDRA_FULL_ERROR": "1"}):  # Hydra raises what it would print
            run()
    except ConfigError as error:
        sys.exit(str(error))
    except yaml.MarkedYAMLError as error:
        sys.exit(f"{error.problem_mark.name}, line {error.problem_mark.line + 1}: {error.problem}")
    except (HydraException, CompactHydraException, ValueError) as error:
        for sweep in begun:
            sweep.forget_if_empty()
            _remove_if_empty(sweep.path)
        sys.exit(_advice(error, sys.argv[1:]))


def _advice(error: Exception, words: list[str]) -> str:
    """What to say of a line that Hydra refuses.

    Raises:
        ValueError: `error` itself, where it is none of Hydra's.
    """
    if isinstance(error, ValueError) and "Config group override" not in str(error):
        raise error
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-name", "-cn", default="train")
    parser.add_argument("--config-dir", "-cd", type=Path)
    known, words = parser.parse_known_args(words)
    folders = [CONF, *([known.config_dir.absolute()] if known.config_dir else [])]
    return advise(error, words, folders, known.config_name)


def _with_sweep(words: list[str]) -> list[str]:
    """sweep.resume=FOLDER -> the words of the sweep in FOLDER; any others stay as they are."""
    named = [word for word in words if word.startswith("sweep.resume=")]
    if not named:
        return words
    try:
        return resumed_words(named[-1].split("=", 1)[1], [word for word in words if word not in named])
    except UserError as error:
        sys.exit(str(error))


def _remove_if_empty(folder: Path) -> None:
    """Takes away what Hydra made for a run that did not begin: outputs/NAME/TIME, NAME, outputs; else the folder."""
    folders = [folder, *folder.parents[:2]] if folder.parent.parent.name == "outputs" else [folder]
    for empty in folders:
        if empty.is_dir() and empty != Path.cwd() and not any(empty.iterdir()):
            empty.rmdir()


def _as_config(words: list[str]) -> list[str]:
    """evaluate ckpt=x -> --config-name evaluate ckpt=x; evaluate images=x -> --config-name evaluate_images images=x"""
    words = _command_first(words)
    if words[:1] == ["evaluate"] and any(word.startswith(("images=", "real=")) for word in words):
        words = ["evaluate_images", *words[1:]]
        return ["--config-name", *words]
    if words[:1] == ["evaluate"]:
        _check_metrics(words)
    return ["--config-name", *words] if words and words[0] in COMMANDS else words


def _command_first(words: list[str]) -> list[str]:
    """--config-dir mine describe loss=x -> describe --config-dir mine loss=x"""
    for place, word in enumerate(words):
        if word in COMMANDS and (place == 0 or words[place - 1] not in VALUED):
            return [word, *words[:place], *words[place + 1 :]]
    return words


def _check_metrics(words: list[str]) -> None:
    """Refuses settings of metrics that are not named: Hydra would fail on them."""
    unnamed = not any(word.startswith("metrics=") for word in words)
    for word in words:
        if unnamed and word.startswith("metrics."):
            sys.exit(
                f"{word}: name the metrics, too (metrics=classifier). Those that the run was trained with take "
                "samples=, scores=, references=, fid_at= and weights="
            )


def _complete() -> None:
    """Tab completion works on the words of the line being typed, which Hydra reads from the environment."""
    line = os.environ.get("COMP_LINE")
    if line is None:
        return
    program, *words = line.split(" ")
    if len(words) > 1 and words[0] in COMMANDS:
        os.environ["COMP_LINE"] = " ".join([program, *words[1:]])
        sys.argv[1:1] = ["--config-name", words[0]]


RESUME = """usage: ganexp resume RUN_FOLDER [schedule.steps=N]

Goes on with a run that was stopped, from its last checkpoint; with schedule.steps, past the end it was to have."""


def _resume(words: list[str]) -> None:
    if words[:1] in (["--help"], ["-h"]):
        print(RESUME)
        return
    found = [re.fullmatch(r"schedule\.steps=(\d+)", word) for word in words[1:]]
    if not words or words[0].startswith("-") or len(found) > 1 or None in found:
        sys.exit(RESUME)
    from ganexp.commands.train import resume

    try:
        resume(words[0], *(int(match[1]) for match in found))
    except UserError as error:
        sys.exit(str(error))


def _report(words: list[str]) -> None:
    from ganexp.commands.report import main as report

    try:
        report(words)
    except UserError as error:
        sys.exit(str(error))
