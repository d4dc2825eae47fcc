"""The config of every training in the README and docs/ is composed and checked; every other command there runs."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from helpers.cli import ganexp
from helpers.config import TINY, config
from helpers.images import photo
from hydra.core.override_parser.overrides_parser import OverridesParser
from PIL import Image

from ganexp.commands.options import groups
from ganexp.config.composition import CONF

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHER_COMMANDS = ("evaluate", "help", "list", "report", "resume", "sample")
OWN_PARTS = "--config-dir"  # commands with this flag need the reader's own files
FOR_THE_READER = re.compile(r"…|\b(COMMON|WIDTHS|METHOD)\b|\[as_published")  # placeholders that a reader replaces
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
    """Yield the overrides of every command that trains, or that describes a training."""
    for page in PAGES:
        for command in commands(page):
            with_preset = any(word.startswith("sweep=") for word in command)  # test_sweep.py checks the presets
            if not (OWN_PARTS in command or with_preset or (command[:1] and command[0] in OTHER_COMMANDS)):
                overrides = [each for each in command if each not in (*FLAGS, "describe", "estimate=true")]
                yield pytest.param(overrides, id=f"{page.stem}: {' '.join(command)}")


def first_values(overrides):
    """Return the overrides of a sweep's first job, without Hydra's own overrides and without intervals to search."""
    chosen = []
    for override in OverridesParser.create().parse_overrides(overrides):
        key = override.get_key_element()
        if "=glob(" in override.input_line:  # test_sweep.py tests such a sweep
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


def test_documented_errors_are_printed(tmp_path):
    errors = re.compile(r"^\$ ganexp (?!resume)(.*)\n((?:(?!```).+\n)+)", re.MULTILINE)
    documented = [found for page in PAGES for found in errors.findall(page.read_text(encoding="utf-8"))]
    assert len(documented) > 3
    for command, shown in documented:
        printed = ganexp(*shlex.split(command), cwd=tmp_path, check=False).stderr
        assert re.fullmatch(re.escape(shown).replace("…", ".*"), printed), printed


# Replacements in commands, so that each command takes about a second and needs no download.
REPLACEMENTS = {
    "metrics=inception": "metrics=classifier metrics/score=[fid] metrics.samples=20 metrics.extractor.updates=2",
    "ckpt=outputs/sweep/TIME": "ckpt=outputs/sweep/TIME metrics/score=[fid]",
    "data=cifar10": "data=digits metrics.extractor.updates=2",
    "data=mnist": "data=digits metrics.extractor.updates=2",
    "data=digits": "data=digits metrics.extractor.updates=2",
    "real=DIRECTORY_OR_ZIP": "real=DIRECTORY",  # DIRECTORY has the classes that a classifier needs
    "samples=50000": "samples=20",
    "n=50000": "n=4",
    "n=64": "n=4",
    "output=DIRECTORY": "output=drawn",
    "metrics.extractor.updates=2000": "metrics.extractor.updates=2",
    "schedule.steps=20000": "schedule.steps=52",
    "schedule.steps=60000": "schedule.steps=52",
    "metrics/score=[fid,fid_interval]": "metrics/score=[fid]",  # the interval takes long to compute
    "estimate=true": "estimate=true metrics=none schedule.batch_size=2 model=mlp",
    "sagan": "textbook",
    "sweep=losses": "sweep=losses loss=hinge",
    "seed=1,2,3": "seed=1",
}
NAMES_OF_RUN = re.compile(r"outputs/(demo|NAME)/TIME|flowers(?=/)")  # the pages call one run by several names
COPIES = ("outputs/a/first", "outputs/b/second", "outputs/tour/run")


def documented_commands():
    """Return the commands of all pages, except trainings."""
    found = {command: page.stem for page in PAGES for command in commands(page)}
    return [command for command in found if {"describe", *OTHER_COMMANDS} & set(command[:1])]


def save_images(directory, splits=(".",), classes=(".",), size=8):
    """Save 24 images for each class of each split."""
    for split in splits:
        for name in classes:
            for number in range(24):
                photo(directory / split / name / f"{number}.png", (size, size))


@pytest.fixture
def documented_places(tmp_path):
    """Create the directories that the pages name: images, a conditional run with kept checkpoints, and a sweep."""
    save_images(tmp_path / "DIRECTORY", classes=("cat", "dog"))
    save_images(tmp_path / "DIRECTORY_OR_ZIP")
    save_images(tmp_path / "CIFAR", ("train", "test"), ("cat", "dog"), size=32)
    images = ("data=folder", "data.path=DIRECTORY", "data.resolution=8", "model=mlp", "model.conditional=true")
    short = ("schedule.batch_size=48", "metrics=classifier", "metrics.samples=20", "metrics.extractor.updates=2")
    epochs = ("loss=hinge", "schedule.epochs=50", "schedule.evaluate_every_epochs=25", "schedule.keep_at=[10,50]")
    ganexp(*images, *short, *epochs, "callbacks=progress", "hydra.run.dir=RUN", cwd=tmp_path)
    ganexp("-m", "seed=1,2", *TINY, *short, "hydra.sweep.dir=outputs/sweep/TIME", cwd=tmp_path)
    for copy in COPIES:
        shutil.copytree(tmp_path / "RUN", tmp_path / copy)
    return tmp_path


def short_form(command):
    """Return the words of a command after the replacements, with RUN as the only name of the run."""
    words = [part for word in command for part in REPLACEMENTS.get(word, word).split()]
    if {"real", "images"} & {word.partition("=")[0] for word in words}:  # such a command scores all images
        words = [word for word in words if not word.startswith("metrics.samples=")]
    return tuple(NAMES_OF_RUN.sub("RUN", word) for word in dict.fromkeys(words))


def test_documented_commands_run(documented_places):
    failed = {}
    for words in dict.fromkeys(map(short_form, documented_commands())):
        done = ganexp(*words, cwd=documented_places, check=False)
        for bundle in documented_places.rglob("*.zip"):  # the next command may write a file of the same name
            bundle.unlink()
        if done.returncode:
            failed[" ".join(words)] = done.stderr[-600:]
    assert not failed


def test_every_command_is_documented():
    assert {command[0] for command in documented_commands()} == {"describe", *OTHER_COMMANDS} - {"help"}


def test_page_of_options_names_every_option():
    rows = re.findall(r"^\| `([\w/]+)` \| (.*) \|$", (ROOT / "docs" / "options.md").read_text(), re.MULTILINE)
    named = {group: set(re.findall(r"`(\w+)`", text)) for group, text in rows if (CONF / group).is_dir()}
    assert {group for group in groups([CONF]) if group not in named} == {"as_published", "experiment", "sweep"}
    assert named == {group: {file.stem for file in (CONF / group).glob("*.yaml")} for group in named}


def test_readme_is_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 100
