"""Resuming a run whose files are damaged, or were replaced by other files."""

import shutil

import pytest
from helpers.cli import ganexp
from helpers.config import TINY
from helpers.states import last_checkpoint, logged_points, same_state

from ganexp.training.scored_module import ScoredModule

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a directory with a finished run, a run that was stopped half-way, and a run with another config."""
    cwd = tmp_path_factory.mktemp("runs")
    base = (*TINY, "loss.n_critic=1", "callbacks=none", "trainer=cpu")
    ganexp(*base, "hydra.run.dir=whole", cwd=cwd)
    ganexp(*base, "trainer.max_time=00:00:00:00", "hydra.run.dir=half", cwd=cwd)
    ganexp(*base, "model.generator.hidden=[8,8,8,8,8,8,8,8]", "hydra.run.dir=other", cwd=cwd)
    return cwd


def copied(runs, tmp_path):
    shutil.copytree(runs / "whole", tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_damaged_checkpoint_falls_back_to_the_newest_whole_one(runs, tmp_path, damage):
    run = copied(runs, tmp_path)
    last, other = run / "checkpoints" / "last.ckpt", run / "checkpoints" / "step-2.ckpt"
    shutil.copy(runs / "half" / "checkpoints" / "last.ckpt", other)
    (run / "checkpoints" / "best.ckpt").write_bytes(b"damaged, too")
    content = last.read_bytes()
    last.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"no checkpoint"}[damage])
    (run / "run.json").write_text("{}")  # a killed run has no final status
    done = ganexp("resume", "run", cwd=tmp_path)
    assert "last.ckpt is damaged: using step-2.ckpt" in done.stdout
    assert "resuming from step 2" in done.stdout
    assert same_state(last_checkpoint(run)["state_dict"], last_checkpoint(runs / "whole")["state_dict"])
    assert logged_points(run) == logged_points(runs / "whole")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return a directory with a run that keeps two checkpoints: step 3 has no evaluation, and step 6 has one."""
    cwd = tmp_path_factory.mktemp("kept")
    words = ("schedule.steps=9", "schedule.evaluate_every=2", "schedule.batch_size=479", "schedule.keep_at=[1,2]")
    scored = ("metrics=classifier", "metrics.samples=40", "metrics.extractor.updates=10", "metrics.cache=cache")
    early = ("callbacks=early_stopping", "callbacks.early_stopping.patience=9")
    rule = ("loss=hinge", "schedule.updates.n_critic=1", "trainer=cpu")
    ganexp(*TINY, *words, *scored, *early, *rule, "hydra.run.dir=whole", cwd=cwd)
    return cwd


@pytest.mark.parametrize("step", [3, 6], ids=["between two evaluations", "at an evaluation"])
def test_run_resumed_from_a_kept_checkpoint_has_the_same_end(kept, tmp_path, step):
    run, whole = tmp_path / "run", kept / "whole"
    shutil.copytree(whole, run)
    for file in (run / "checkpoints").glob("*.ckpt"):
        if not file.name.startswith(f"step-{step:07d}"):
            file.write_bytes(b"damaged")
    (run / "run.json").write_text("{}")
    done = ganexp("resume", "run", cwd=tmp_path)
    assert f"resuming from step {step}" in done.stdout
    ours, theirs = last_checkpoint(run), last_checkpoint(whole)
    assert same_state(ours["state_dict"], theirs["state_dict"])
    names = [name for name in theirs["callbacks"] if name.startswith("EarlyStopping")]
    assert names
    assert all(same_state(ours["callbacks"][name], theirs["callbacks"][name]) for name in names)
    best = [each["callbacks"]["ModelCheckpoint[best]"]["best_model_score"] for each in (ours, theirs)]
    assert best[0] == best[1]
    assert logged_points(run) == logged_points(whole)


def test_checkpoint_of_an_unfinished_evaluation_is_not_kept(kept, tmp_path, monkeypatch):
    """A run that is killed in an evaluation must not be resumed after this evaluation."""
    shutil.copytree(kept / "whole", tmp_path / "run")
    run = tmp_path / "run"
    (last, *_) = (run / "checkpoints").glob("step-0000003*.ckpt")
    for file in (run / "checkpoints").glob("*.ckpt"):
        if file != last:
            file.unlink()
    last.rename(last.with_name("last.ckpt"))
    (run / "run.json").write_text("{}")
    with monkeypatch.context() as patched:
        patched.setattr("ganexp.training.gan.GAN.on_validation_epoch_end", _fail_at_step_6)
        assert ganexp("resume", "run", cwd=tmp_path, check=False).returncode
    assert not list((run / "checkpoints").glob("step-0000006*"))
    ganexp("resume", "run", cwd=tmp_path)
    assert list((run / "checkpoints").glob("step-0000006*"))
    assert logged_points(run) == logged_points(kept / "whole")


def _fail_at_step_6(gan):
    if gan.step == 6:
        raise RuntimeError
    ScoredModule.on_validation_epoch_end(gan)


@pytest.mark.parametrize("name", ["last.ckpt", "best.ckpt"])
def test_directory_in_place_of_a_checkpoint_is_refused(runs, tmp_path, name):
    """If the directory were accepted, the run would fail after hours of training, when it saves a checkpoint."""
    path = copied(runs, tmp_path) / "checkpoints" / name
    path.unlink(missing_ok=True)
    path.mkdir()
    done = ganexp("resume", "run", "schedule.steps=6", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert f"checkpoints/{name} is a directory, but the run saves a checkpoint at this path" in done.stderr


@pytest.mark.parametrize(
    "command", [["resume", "run", "schedule.steps=6"], ["sample", "ckpt=run", "n=4"]], ids=" ".join
)
def test_checkpoint_of_another_configuration_is_refused(runs, tmp_path, command):
    run = copied(runs, tmp_path)
    shutil.copy(runs / "other" / "checkpoints" / "last.ckpt", run / "checkpoints" / "last.ckpt")
    done = ganexp(*command, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "last.ckpt does not fit the config" in done.stderr
    assert "generator" in done.stderr
    assert len(done.stderr.splitlines()) <= 10
