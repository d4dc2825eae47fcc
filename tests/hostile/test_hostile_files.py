"""Commands run no code from a stranger's files, and open no file outside of the directory of these files."""

import json
import os
import subprocess
import zipfile
from functools import partial

import pytest
import torch
from helpers.cli import ganexp
from helpers.runs import make_run, template

from ganexp.checkpoint import AtomicCheckpointIO, read_checkpoint
from ganexp.commands.sweeps.overrides import resumed_overrides
from ganexp.config import trust
from ganexp.config.composition import CONF
from ganexp.data.decoding import DECODING_ERRORS, Decoding, decode_image
from ganexp.errors import UserError
from ganexp.runs.environment import git_state

pytestmark = pytest.mark.slow

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"


@pytest.fixture
def run(tmp_path):
    """Create a run directory without checkpoints, and another file of the user beside it; return the run directory."""
    (tmp_path / "secret").write_text("of the user")
    return make_run(tmp_path / "run", template())


class RunsCode:
    """An object whose pickle creates a directory when the pickle is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "override",
    [
        "loss.adversarial._target_=os.system",
        "+loss.adversarial._target_=os.system",
        "++loss.adversarial={_target_: os.system}",
        "loss.adversarial._target_=ganexp.losses.adversarial.Hinge,os.system",
        "loss.adversarial._target_=${oc.env:TARGET}",
        "model.generator={_target_: ganexp.models.mlp.Generator, hidden: {_target_: os.system}}",
        "callbacks.x={_target_: os.system, _partial_: true}",
        "hydra.launcher._target_=os.system",
        "hydra.sweeper._target_=os.system",
        "hydra.callbacks={x: {_target_: os.system}}",
        "hydra.run.dir=/tmp",
        "--config-dir=/tmp",
    ],
)
def test_sweep_file_with_code_is_refused(tmp_path, override):
    (tmp_path / "sweep.json").write_text(json.dumps({"overrides": ["seed=1,2", override]}))
    with pytest.raises(UserError, match=r"sweep\.json"):
        resumed_overrides(str(tmp_path), [], [CONF])


@pytest.mark.parametrize(
    "node",
    [
        "{_target_: os.system, command: touch hacked}",
        "{_target_: ganexp.losses.adversarial.Hinge, x: [{_target_: os.system}]}",
        "{_target_: os.system, _partial_: true}",
        "{_target_: torch.load}",
        "!!python/object/apply:os.system ['touch hacked']",
        "&a [*a]",
        "[" * 20_000,
    ],
)
def test_config_with_code_is_refused(run, node):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(f"{text}augment: {{x: {node}}}\n")
    with pytest.raises(UserError, match=r"config\.yaml"):
        trust.load(run / "config.yaml")
    assert not list(run.rglob("hacked"))


@pytest.mark.parametrize("content", ["checkpoint", "state_dict"])
def test_checkpoint_with_code_is_refused(tmp_path, content):
    code = RunsCode(tmp_path / "hacked")
    torch.save(code if content == "checkpoint" else {"state_dict": code, "ganexp": {"step": 1}}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=r"last\.ckpt"):
        read_checkpoint(tmp_path / "last.ckpt")
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("victim", ["secret", "other.ckpt", "run/../other.ckpt"])
def test_path_in_a_checkpoint_is_not_deleted(run, victim):
    path = run.parent / victim
    path.write_text("of the user")
    with pytest.warns(UserWarning, match="was not removed"):
        AtomicCheckpointIO(run).remove_checkpoint(path)
    assert path.exists()


@pytest.mark.parametrize("setting", ["core.fsmonitor", "core.pager", "diff.external", "core.sshCommand"])
def test_git_runs_no_program_of_a_checkout(tmp_path, monkeypatch, setting):
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "config", setting, f"touch {tmp_path}/hacked"], check=True)
    git_state(tmp_path)
    assert not (tmp_path / "hacked").exists()


def test_git_fetches_no_missing_object(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git = partial(subprocess.run, check=True, capture_output=True, text=True)
    git(["git", "init", "-q"])
    (tmp_path / "file").write_text("text")
    git(["git", "add", "file"])
    git(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "First"])
    tree = git(["git", "rev-parse", "HEAD^{tree}"]).stdout.strip()
    settings = {"core.repositoryformatversion": "1", "extensions.partialClone": "origin"}
    settings |= {"remote.origin.promisor": "true", "remote.origin.url": str(tmp_path)}
    settings |= {"remote.origin.uploadpack": f"sh -c 'touch {tmp_path}/hacked'"}
    for key, value in settings.items():
        git(["git", "config", key, value])
    (tmp_path / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    git_state(tmp_path)
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    "name", ["curves.png", "run.part", "scores.json", "metrics.jsonl", "samples/step-0000000.png", "checkpoints"]
)
@pytest.mark.parametrize("command", ["resume", "report --bundle"])
def test_link_out_of_a_run_is_not_followed(run, name, command):
    link = run / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(run.parent / "secret")
    done = ganexp(*command.split(), str(run), cwd=run.parent, check=False)
    assert done.returncode == 1
    assert "is a link to" in done.stderr
    assert (run.parent / "secret").read_text() == "of the user"
    assert not list(run.parent.glob("*.zip"))


def test_report_names_a_run_with_a_link(run):
    (run / "curves.png").symlink_to(run.parent / "secret")
    make_run(run.parent / "other", template())
    ganexp("report", ".", "images=false", cwd=run.parent)
    assert "is a link to" in (run.parent / "report" / "index.html").read_text()


@pytest.mark.parametrize("name", ["run.json", "metrics.jsonl", "config.yaml"])
def test_report_does_not_wait_for_a_pipe(run, name):
    (run / name).unlink()
    os.mkfifo(run / name)
    make_run(run.parent / "other", template())
    done = ganexp("report", ".", "images=false", cwd=run.parent)
    assert "Traceback" not in done.stderr


def test_report_writes_no_file_through_a_link(run):
    report = run.parent / "report"
    report.mkdir()
    (report / ".ganexp-report").touch()
    (report / "index.html").symlink_to(run.parent / "secret")
    ganexp("report", ".", "images=false", cwd=run.parent)
    assert (run.parent / "secret").read_text() == "of the user"


def test_eps_named_png_does_not_run_ghostscript(tmp_path, monkeypatch):
    gs = tmp_path / "gs"
    gs.write_text(f"#!/bin/sh\ntouch {tmp_path}/hacked\n")
    gs.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(DECODING_ERRORS):
        decode_image(EPS, Decoding(3))
    assert not (tmp_path / "hacked").exists()


def test_jobs_outside_of_their_sweep_are_refused(tmp_path):
    cwd = tmp_path / "here"
    cwd.mkdir()
    words = ("seed=1,2", "metrics=none", "schedule.steps=1", "hydra.sweep.dir=sweep")
    done = ganexp("-m", *words, "hydra.sweep.subdir=../../out-${seed}", cwd=cwd, check=False)
    assert done.returncode != 0
    assert "hydra.sweep.subdir" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_zip_members_are_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("../hacked.png", b"no image")
        archive.writestr("/tmp/hacked.png", b"no image")
    words = ("data=folder", "data.path=images.zip", "metrics=none", "schedule.steps=1")
    done = ganexp(*words, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["images.zip"]
