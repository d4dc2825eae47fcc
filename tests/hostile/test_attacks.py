"""Files of strangers run no code, and neither read nor change files of the user."""

import os
from pathlib import Path

import pytest
from helpers.attacks import ATTACKS, HACKED, MINE, SECRET, TRAIN, Attack, environment, harm, prepare
from helpers.cli import ganexp

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Train a run that the attacks change, and return the run directory."""
    cwd = tmp_path_factory.mktemp("trained")
    ganexp(*TRAIN, cwd=cwd)
    return cwd / "run"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_files_of_a_stranger_do_no_harm(run, tmp_path, monkeypatch, attack):
    directory = tmp_path / "attack"
    prepare(attack, run, directory)
    for name, value in environment(directory).items():
        monkeypatch.setenv(name, value)
    done = ganexp(*attack.arguments, cwd=directory, check=False)
    assert not harm(directory, done.stdout + done.stderr)
    assert done.returncode in (0, 1, 2)


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda cwd: (cwd / "run" / HACKED).touch(), f"{HACKED} exists"),
        (lambda cwd: (cwd / "mine" / "secret.txt").write_text("x"), "mine/secret.txt changed"),
        (lambda cwd: (cwd / "mine" / "new").mkdir(), "mine/new changed"),
        (lambda cwd: os.remove(cwd / "mine" / "thesis.ckpt"), "mine/thesis.ckpt changed"),
        (lambda cwd: (cwd / "copy").write_bytes(MINE["secret.txt"]), "copy has the secret"),
    ],
)
def test_harm_is_found(run, tmp_path, act, expected):
    prepare(Attack("", (), lambda directory: None), run, tmp_path / "attack")
    assert not harm(tmp_path / "attack", "")
    act(tmp_path / "attack")
    assert [text for text in harm(tmp_path / "attack", "") if expected in text]


def test_printed_secret_and_traceback_are_found(run, tmp_path):
    prepare(Attack("", (), lambda directory: None), run, tmp_path / "attack")
    assert harm(tmp_path / "attack", f"Traceback {SECRET}") == ["the secret was printed", "traceback"]


def test_attacks_have_names_of_their_own():
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert not any(Path(argument).is_absolute() for attack in ATTACKS for argument in attack.arguments)
