"""How the arguments of a command line become a command."""

from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser

from ganexp.arguments import HYDRA_FLAGS, INFO_TOPICS, Command, UsageError, find_command, parse
from ganexp.config.composition import IS_HYDRA_1_3

UNNAMED = {"is_named": False}


def train(*overrides, flags=(), **values):
    return Command("train", overrides, flags, "train", **values)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("", train(**UNNAMED)),
        ("loss=hinge", train("loss=hinge", **UNNAMED)),
        ("train loss=hinge", train("loss=hinge")),
        ("loss=hinge describe", Command("describe", ("loss=hinge",), (), "describe")),
        ("~schedule/lr_decay +x=1", train("~schedule/lr_decay", "+x=1", **UNNAMED)),
        ("evaluate ckpt=a", Command("evaluate", ("ckpt=a",), (), "evaluate")),
        ("evaluate images=a", Command("evaluate", ("images=a",), (), "evaluate_images")),
        ("evaluate data=mnist real=test", Command("evaluate", ("data=mnist", "real=test"), (), "evaluate_images")),
        ("sample ckpt=a n=4", Command("sample", ("ckpt=a", "n=4"), (), "sample")),
        ("-m seed=1,2", train("seed=1,2", is_sweep=True, **UNNAMED)),
        ("seed=1,2 train --multirun", train("seed=1,2", is_sweep=True)),
        ("sweep=losses", train("sweep=losses", is_sweep=True, **UNNAMED)),
        ("sweep=null sweep.prune=true", train("sweep=null", "sweep.prune=true", **UNNAMED)),
        ("hydra.mode=MULTIRUN", train("hydra.mode=MULTIRUN", is_sweep=True, **UNNAMED)),
        ("sweep=losses --cfg job", train("sweep=losses", flags=("--cfg", "job"), **UNNAMED)),
        ("seed=1 --cfg job", train("seed=1", flags=("--cfg", "job"), **UNNAMED)),
        ("describe --info defaults", Command("describe", (), ("--info", "defaults"), "describe")),
        ("--info describe", Command("describe", (), ("--info", "all"), "describe")),
        ("--config-name sample ckpt=a", Command("sample", ("ckpt=a",), (), "sample")),
        ("--config-name=evaluate ckpt=a", Command("evaluate", ("ckpt=a",), (), "evaluate")),
        ("--config-name evaluate_images real=a", Command("evaluate", ("real=a",), (), "evaluate_images")),
        ("-sc query=bash", train("query=bash", flags=("-sc",), **UNNAMED)),
        ("sample --help", Command("sample", (), (), "sample", wants_help=True)),
        ("loss=hinge -h", train("loss=hinge", wants_help=True, **UNNAMED)),
        ("resume run schedule.steps=9", Command("resume", ("run", "schedule.steps=9"))),
        ("resume --help", Command("resume", ("--help",))),
        ("help", train(wants_help=True, **UNNAMED)),
        ("help sample", Command("sample", (), (), "sample", wants_help=True)),
        ("help resume", Command("resume", ("--help",))),
        ("+sweep=losses", train("+sweep=losses", is_sweep=True, **UNNAMED)),
        ("report --bundle run output=a", Command("report", ("--bundle", "run", "output=a"))),
        ("--bundle report run", Command("report", ("--bundle", "run"))),
        ("report a train", Command("report", ("a", "train"))),
        ("--version", Command("--version")),
        ("train --version", Command("--version")),
    ],
)
def test_parse_finds_command_flags_and_overrides(argv, expected):
    assert parse(argv.split()) == expected


@pytest.mark.parametrize(
    ("argv", "name", "flags", "directory"),
    [
        ("--config-dir mine describe a=b", "describe", ("--config-dir", "mine"), "mine"),
        ("a=b -cd mine c=d", "train", ("-cd", "mine"), "mine"),
        ("--config-dir=mine sample", "sample", ("--config-dir=mine",), "mine"),
        ("--config-dir describe a=b", "train", ("--config-dir", "describe"), "describe"),
        ("--config-dir describe describe", "describe", ("--config-dir", "describe"), "describe"),
    ],
)
def test_parse_reads_the_config_dir_as_an_absolute_path(argv, name, flags, directory):
    command = parse(argv.split())
    assert (command.name, command.flags, command.config_dir) == (name, flags, Path.cwd() / directory)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("trian", "ganexp: error: unknown command 'trian'. Did you mean train?"),
        ("loss=hinge trian", "unknown command 'trian'"),
        ("--config-dir mine trian", "unknown command 'trian'"),
        ("loss", "unknown command 'loss'. To see its options: ganexp list loss.\n"),
        ("help reprot", "unknown command 'reprot'. Did you mean report?"),
        (
            "evaluate outputs/run",
            "ganexp evaluate: error: outputs/run is not an override: write key=value, perhaps ckpt=",
        ),
        ("train loss", "loss is not an override: write key=value\n"),
        ("--config-name mine", "--config-name=mine: use one of train, evaluate"),
        ("train --epochs 3", "ganexp train: error: unrecognized arguments: --epochs"),
        ("--epochs 3", "ganexp: error: unrecognized arguments: --epochs"),
        ("--multi seed=1,2", "unrecognized arguments: --multi. Did you mean --multirun or"),
        ("--dryrun", "unrecognized arguments: --dryrun. Did you mean --dry-run"),
        ("--zzz", "unrecognized arguments: --zzz\n"),
        ("seed=1 --cfg", "argument --cfg/-c: expected one argument"),
    ],
)
def test_parse_refuses_arguments_of_the_wrong_form(argv, message):
    with pytest.raises(UsageError) as error:
        parse(argv.split())
    text = str(error.value)
    assert message in text
    assert text.startswith("usage: ganexp")
    assert text.splitlines()[-1].startswith("See ganexp")


@pytest.mark.parametrize(
    "argv",
    [
        "loss=hinge",
        "evaluate images=a",
        "evaluate ckpt=a --config-dir mine",
        "-m seed=1,2 --config-dir=mine ~model",
        "--cfg job sample",
        "describe sweep=losses",
    ],
)
def test_parsing_the_rewritten_arguments_changes_nothing(argv):
    """Distributed training starts further processes with the rewritten arguments, and ganexp parses them again."""
    command = parse(argv.split())
    again = parse(command.argv())
    assert again.argv() == command.argv()
    assert (again.config_name, again.config_dir) == (command.config_name, command.config_dir)
    assert parse([*command.argv(), "hydra.run.dir=a"]).config_name == command.config_name


def test_dry_run_is_an_override_of_train():
    command = parse(["loss=hinge", "--dry-run", "seed=1"])
    assert command.arguments == ("loss=hinge", "seed=1", "debug.dry_run=true")
    assert command.flags == ()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("describe --dry-run", "--dry-run is an option of ganexp train only"),
        ("--dry-run -m seed=1,2", "ganexp describe -m"),
        ("--dry-run sweep=losses", "ganexp describe -m"),
    ],
)
def test_dry_run_is_refused_where_it_has_no_meaning(argv, message):
    with pytest.raises(UsageError, match=message):
        parse(argv.split())


def test_json_flag_is_an_override_of_describe():
    command = parse(["describe", "--json", "seed=1"])
    assert command.arguments == ("seed=1", "json=true")
    assert parse(command.argv()).arguments == command.arguments
    with pytest.raises(UsageError, match="--json is an option of ganexp describe"):
        parse(["--json", "seed=1"])


def test_home_directory_of_a_flag_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    for argv in ("--config-dir=~/conf", "--config-dir ~/conf"):
        command = parse(argv.split())
        assert command.config_dir == Path("/home/me/conf")
        assert "/home/me/conf" in " ".join(command.flags)


def test_rerun_names_no_config_since_hydra_knows_it():
    assert parse(["--experimental-rerun", "run"]).argv() == ["--experimental-rerun", "run"]


def test_empty_arguments_are_passed_over():
    assert find_command(["", "describe", ""]) == "describe"
    assert find_command(["", "loss=hinge"]) is None


def test_flags_are_those_of_hydra():
    """ganexp refuses flags that it does not know, so it must know all flags of Hydra."""
    own = {name for names, _, _ in HYDRA_FLAGS for name in names} | {"--help", "-h", "--version"}
    actions = get_args_parser()._actions
    assert own == {name for action in actions for name in action.option_strings}
    takes_value = {name for names, has_value, _ in HYDRA_FLAGS if has_value for name in names}
    assert takes_value == {name for action in actions if action.nargs != 0 for name in action.option_strings}
    (info,) = [action for action in actions if "--info" in action.option_strings]
    assert set(INFO_TOPICS) - set(info.choices) <= ({"aliases"} if IS_HYDRA_1_3 else set())
