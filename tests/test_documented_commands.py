"""Every training that the README and docs/ show is composed and checked; the other commands of the README run."""

import re
import shlex
from pathlib import Path

import pytest
from helpers.cli import ganexp
from helpers.config import TINY, config
from hydra.core.override_parser.overrides_parser import OverridesParser
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHER_COMMANDS = ("evaluate", "help", "list", "report", "resume", "sample")
OWN_PARTS = "--config-dir"  # the test of extending.md runs these commands with the files of the page
FOR_THE_READER = re.compile(r"…|\b(COMMON|WIDTHS|METHOD)\b|\[as_published")  # stand for something else
FLAGS = ("-m", "--dry-run", "--multirun")


def commands(page):
    """Return the arguments of every line that begins with ganexp in a code block without a language."""
    found = []
    for block in re.findall(r"^```\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("ganexp") and not FOR_THE_READER.search(line.partition(" #")[0]):
                found.append(tuple(shlex.split(line, comments=True)[1:]))
    return list(dict.fromkeys(found))


def trainings():
    """Return the page and the overrides of every training, described ones too."""
    for page in PAGES:
        for command in commands(page):
            with_preset = any(word.startswith("sweep=") for word in command)  # test_sweep_settings.py composes them
            if not (OWN_PARTS in command or with_preset or (command[:1] and command[0] in OTHER_COMMANDS)):
                overrides = [each for each in command if each not in (*FLAGS, "describe", "estimate=true")]
                yield pytest.param(overrides, id=f"{page.stem}: {' '.join(command)}")


def first_values(overrides):
    """Return the overrides of the first job of a sweep; those of Hydra itself and searched intervals are left out."""
    chosen = []
    for override in OverridesParser.create().parse_overrides(overrides):
        key = override.get_key_element()
        if "=glob(" in override.input_line:  # test_sweep.py has such a sweep
            continue
        if override.is_choice_sweep() or override.is_range_sweep():
            chosen.append(f"{key}={next(override.sweep_string_iterator())}")
        elif not (override.is_sweep_override() or key.startswith("hydra") or key == "sweep.resume"):
            chosen.append(override.input_line)
    return chosen


@pytest.mark.parametrize("overrides", trainings())
def test_documented_training_is_accepted(overrides, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        (tmp_path / "my_images" / str(number)).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "my_images" / str(number) / "0.png")
    config(*first_values(overrides))


def test_pages_have_trainings():
    assert len(list(trainings())) > 40


@pytest.mark.slow
def test_commands_of_the_readme_run(tmp_path):
    ganexp(*TINY, "hydra.run.dir=outputs/RUN", cwd=tmp_path)
    ran = set()
    for command in commands(ROOT / "README.md"):
        if command[:1] == ("report",):
            ganexp(command[0], "outputs", cwd=tmp_path)
        elif command[0] == "evaluate":
            ganexp(
                *command[:-1],
                "ckpt=outputs/RUN",
                "metrics=classifier",
                "metrics.samples=20",
                "metrics.extractor.updates=20",
                cwd=tmp_path,
            )
        elif command[0] in OTHER_COMMANDS or command[0] == "describe":
            ganexp(*(word.replace("RUN", "outputs/RUN") for word in command), cwd=tmp_path)
        ran.add(command[0])
    assert {"describe", "evaluate", "list", "report", "resume", "sample"} <= ran


def test_readme_is_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 100
