"""Checkpoints of chosen epochs are kept, and `ganexp sample` finds them by step or epoch."""

import pytest
from helpers.cli import ganexp
from helpers.config import TINY

from ganexp.checkpoint import read_checkpoint
from ganexp.commands.checkpoint_choice import choose_checkpoint
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory

EPOCHS = ("schedule.batch_size=400", "schedule.epochs=4", "schedule.evaluate_every_epochs=4")  # an epoch has 3 batches


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("run")
    tiny = [override for override in TINY if not override.startswith("schedule.")]
    keep = "schedule.keep_at=[1,3,4,9]"
    ganexp(*tiny, *EPOCHS, "loss=hinge", "schedule.updates.n_critic=2", keep, "hydra.run.dir=run", cwd=cwd)
    return cwd / "run"


def test_kept_checkpoints_are_those_of_the_epochs(run):
    kept = RunDirectory(run).kept_checkpoints()
    assert list(kept) == [(2, 1), (5, 3), (6, 4)]  # a step draws two batches; the run ends before epoch 9
    assert [read_checkpoint(file)["ganexp"]["step"] for file in kept.values()] == [2, 5, 6]


def test_checkpoint_of_the_last_epoch_is_kept_and_later_ones_are_named(tmp_path):
    tiny = [override for override in TINY if not override.startswith("schedule.")]
    length = ("schedule.epochs=1", "schedule.evaluate_every_epochs=1", "schedule.keep_at=[1,5,7]")  # 2.2 steps an epoch
    done = ganexp(*tiny, *length, "hydra.run.dir=run", cwd=tmp_path)
    assert list(RunDirectory(tmp_path / "run").kept_checkpoints()) == [(3, 1)]
    assert "schedule.keep_at: the run ends before epoch 5, 7" in done.stdout


def test_checkpoint_is_chosen_by_step_or_epoch(run):
    kept = [str(file) for file in RunDirectory(run).kept_checkpoints().values()]
    assert choose_checkpoint(str(run), None, 3) == choose_checkpoint(str(run), 5, None) == kept[1]
    assert choose_checkpoint(str(run), 6, None).endswith("last.ckpt")
    assert choose_checkpoint(str(run), None, None) == str(run)


@pytest.mark.parametrize(
    ("step", "epoch", "message"),
    [(None, 2, "It has: epochs 1, 3, 4$"), (4, None, "It has: steps 2, 5, 6$"), (2, 1, "give one of the two")],
)
def test_missing_checkpoint_is_refused_with_the_choices(run, step, epoch, message):
    with pytest.raises(UserError, match=message):
        choose_checkpoint(str(run), step, epoch)


def test_step_of_a_checkpoint_file_is_refused(run):
    with pytest.raises(UserError, match="give ckpt=RUN_DIRECTORY"):
        choose_checkpoint(str(run / "checkpoints" / "last.ckpt"), 2, None)
