"""From arguments to a command."""

from pathlib import Path

import pytest

from ganexp.arguments import Command, config_dir, parse
from ganexp.errors import UserError


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("", Command("train", (), (), "train")),
        ("loss=hinge", Command("train", ("loss=hinge",), (), "train")),
        ("train loss=hinge", Command("train", ("loss=hinge",), (), "train")),
        ("loss=hinge describe", Command("describe", ("loss=hinge",), (), "describe")),
        ("~schedule/lr_decay +x=1", Command("train", ("~schedule/lr_decay", "+x=1"), (), "train")),
        ("evaluate ckpt=a", Command("evaluate", ("ckpt=a",), (), "evaluate")),
        ("evaluate images=a", Command("evaluate", ("images=a",), (), "evaluate_images")),
        ("evaluate data=mnist real=test", Command("evaluate", ("data=mnist", "real=test"), (), "evaluate_images")),
        ("sample ckpt=a n=4", Command("sample", ("ckpt=a", "n=4"), (), "sample")),
        ("-m seed=1,2", Command("train", ("seed=1,2",), ("-m",), "train")),
        ("seed=1 --cfg job", Command("train", ("seed=1",), ("--cfg", "job"), "train")),
        ("describe --info defaults", Command("describe", (), ("--info", "defaults"), "describe")),
        ("--info describe", Command("describe", (), ("--info",), "describe")),
        ("--config-dir mine describe a=b", Command("describe", ("a=b",), ("--config-dir", "mine"), "describe")),
        ("a=b --config-dir mine c=d", Command("train", ("a=b", "c=d"), ("--config-dir", "mine"), "train")),
        ("--config-dir describe a=b", Command("train", ("a=b",), ("--config-dir", "describe"), "train")),
        ("--config-name sample ckpt=a", Command("sample", ("ckpt=a",), (), "sample")),
        ("--config-name=evaluate ckpt=a", Command("evaluate", ("ckpt=a",), (), "evaluate")),
        ("--config-name evaluate_images real=a", Command("evaluate", ("real=a",), (), "evaluate_images")),
        ("resume run schedule.steps=9", Command("resume", ("run", "schedule.steps=9"))),
        ("resume --help", Command("resume", ("--help",))),
        ("report --bundle run output=a", Command("report", ("--bundle", "run", "output=a"))),
        ("report a train", Command("report", ("a", "train"))),
        ("--version", Command("--version")),
        ("train --version", Command("--version")),
    ],
)
def test_parse_finds_command_flags_and_overrides(argv, expected):
    assert parse(argv.split()) == expected


@pytest.mark.parametrize("argv", ["trian", "loss=hinge trian", "--config-dir mine trian", "loss"])
def test_parse_refuses_an_unknown_command(argv):
    with pytest.raises(UserError, match=r"There is no command '(trian|loss)': use one of train, evaluate, sample"):
        parse(argv.split())


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("evaluate outputs/run", "outputs/run is not an override: write key=value, perhaps ckpt=outputs/run"),
        ("train loss", "loss is not an override: write key=value"),
    ],
)
def test_parse_refuses_an_argument_that_is_no_override(argv, message):
    with pytest.raises(UserError) as error:
        parse(argv.split())
    assert str(error.value) == message


def test_parse_refuses_an_unknown_config():
    with pytest.raises(UserError, match="--config-name=mine: use one of train, evaluate"):
        parse(["--config-name", "mine"])


@pytest.mark.parametrize(
    "argv",
    [
        "loss=hinge",
        "evaluate images=a",
        "evaluate ckpt=a --config-dir mine",
        "-m seed=1,2 --config-dir=mine ~model",
        "--cfg job sample",
    ],
)
def test_parsing_the_rewritten_arguments_changes_nothing(argv):
    """Distributed training starts its further processes with sys.argv as Hydra read it."""
    command = parse(argv.split())
    assert parse(command.argv()) == command
    assert parse([*command.argv(), "hydra.run.dir=a"]).config_name == command.config_name


@pytest.mark.parametrize("flags", [["--config-dir", "mine"], ["-m", "-cd", "mine"], ["--config-dir=mine"]])
def test_config_dir_is_absolute(flags):
    assert config_dir(flags) == Path.cwd() / "mine"


def test_config_dir_is_none_without_the_flag():
    assert config_dir(["-m", "--cfg", "job"]) is None
    assert config_dir([]) is None
