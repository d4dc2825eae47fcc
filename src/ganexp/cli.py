"""The command line. A command is a primary config; `resume`, `report`: words of their own. No torch: quick."""

import os
import re
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from ganexp import __version__, schema
from ganexp.errors import UserError

HERE = Path(__file__).resolve().parent
CONF = HERE / "conf" if (HERE / "conf").is_dir() else HERE.parents[1] / "conf"  # in a wheel, else in a checkout
COMMANDS = ("train", "evaluate", "sample", "describe")


class ConfigError(CompactHydraException):
    """What Hydra prints without a traceback."""


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def run(cfg: DictConfig) -> float | None:
    """Runs the command whose config was composed; a sweep gets the value it returns."""
    hydra_config = HydraConfig.get()
    command, choices = hydra_config.job.config_name, hydra_config.runtime.choices
    groups = {name: choice for name, choice in choices.items() if not name.startswith("hydra")}
    try:
        cfg = schema.resolve(cfg)
        if command == "train":
            from ganexp.train import train

            cfg.name = schema.run_name(cfg.name, *(choices[g] for g in ("experiment", "data", "model", "loss")))
            return train(cfg, hydra_config.runtime.output_dir, groups)
        if command == "evaluate_images":
            from ganexp.evaluate import evaluate_images

            evaluate_images(cfg)
        elif command == "evaluate":
            from ganexp.evaluate import evaluate

            evaluate(cfg)
        elif command == "sample":
            from ganexp.sample import sample

            sample(cfg)
        else:
            from ganexp.describe import describe

            describe(cfg, groups)
    except UserError as error:
        _remove_if_empty(Path(hydra_config.runtime.output_dir))
        if hydra_config.mode == RunMode.MULTIRUN:  # the sweep goes on, and says so at its end
            raise ConfigError(f"{error}{_hint(groups)}") from None
        sys.exit(f"{error}{_hint(groups)}")
    return None


def _hint(groups: dict[str, str | None]) -> str:
    """A line about a choice that suits few others, which is where most refusals then come from."""
    article, case = groups.get("published"), str(groups.get("experiment"))
    if article and (not case.startswith(f"{article}/") or case == "dcgan/cifar10"):
        return f"\npublished={article} is meant for the article's own cases: experiment={article}/…"
    if groups.get("loss/auxiliary"):
        return "\nloss/auxiliary needs a discriminator that offers head=…: use model=dcgan"
    return ""


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["--version"]:
        print(f"ganexp {__version__}")
        return
    schema.register()
    if words[:1] == ["resume"]:
        _resume(words[1:])
        return
    if words[:1] == ["report"]:
        _report(words[1:])
        return
    if words and "=" not in words[0] and not words[0].startswith("-") and words[0] not in COMMANDS:
        commands = ", ".join((*COMMANDS, "resume", "report"))
        sys.exit(f"There is no command {words[0]!r}: use one of {commands}, or key=value. See ganexp --help.")
    _complete()
    sys.argv[1:] = _as_config(sys.argv[1:])
    run()


def _remove_if_empty(folder: Path) -> None:
    """Takes away what Hydra made for a run that did not begin: outputs/NAME/TIME, NAME, outputs; else the folder."""
    folders = [folder, *folder.parents[:2]] if folder.parent.parent.name == "outputs" else [folder]
    for empty in folders:
        if empty.is_dir() and empty != Path.cwd() and not any(empty.iterdir()):
            empty.rmdir()


def _as_config(words: list[str]) -> list[str]:
    """evaluate ckpt=x -> --config-name evaluate ckpt=x; evaluate images=x -> --config-name evaluate_images images=x"""
    if words[:1] == ["evaluate"] and any(word.startswith(("images=", "real=")) for word in words):
        words = ["evaluate_images", *words[1:]]
        return ["--config-name", *words]
    return ["--config-name", *words] if words and words[0] in COMMANDS else words


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
    from ganexp.train import resume

    try:
        resume(words[0], *(int(match[1]) for match in found))
    except UserError as error:
        sys.exit(str(error))


def _report(words: list[str]) -> None:
    from ganexp.report.command import main as report

    try:
        report(words)
    except UserError as error:
        sys.exit(str(error))
