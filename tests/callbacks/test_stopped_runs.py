"""A run that a callback has stopped stays stopped if it is killed at its end; only a new length continues it."""

import json

import pytest
from helpers.cli import ganexp
from helpers.config import TINY
from helpers.states import last_checkpoint

from ganexp.report.run import read_run

pytestmark = pytest.mark.slow

MODULE = """
from pytorch_lightning import Callback

class Stop(Callback):
    def __init__(self, step: int, hook: str) -> None:
        self.step = step
        setattr(self, hook, self.stop)

    def stop(self, trainer, pl_module, *args):
        if pl_module.step == self.step:
            trainer.should_stop = True

    def on_train_batch_end(self, *args):
        pass

    def on_train_epoch_end(self, *args):
        pass
"""
RUN = (*TINY, "schedule.steps=6", "hydra.run.dir=run")
SCORED = (*RUN, "metrics=classifier", "metrics.samples=40", "metrics.extractor.updates=10")
# the score is below this threshold, so that the run stops at its first evaluation
EARLY = (
    "callbacks=early_stopping",
    "+callbacks.early_stopping.stopping_threshold=1000000",
)
ACCURATE = ("loss=hinge", "callbacks=stop_on_accuracy", "callbacks.stop_on_accuracy.highest=0")


@pytest.fixture(autouse=True)
def importable(tmp_path, monkeypatch):
    """Make the module of the user's callback importable."""
    (tmp_path / "stopping.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("GANEXP_TRUST", "stopping")


def users(step, hook):
    """Return an override that adds a user's callback."""
    return f"+callbacks.stop={{_target_: stopping.Stop, step: {step}, hook: {hook}}}"


def mark_as_killed(run):
    """Change the record of a run to that of a run that was killed after its last checkpoint."""
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(facts | {"status": "running", "stopped": None}))


def step_and_status(run):
    """Return the step of last.ckpt, and the status in run.json."""
    return last_checkpoint(run)["ganexp"]["step"], json.loads((run / "run.json").read_text())["status"]


@pytest.mark.parametrize(
    ("words", "step"),
    [
        ((*RUN, users(2, "on_train_epoch_end")), 2),
        ((*RUN, users(3, "on_train_batch_end")), 3),  # between two evaluations
        ((*SCORED, *EARLY), 2),
        ((*RUN, *ACCURATE, "callbacks.stop_on_accuracy.patience=3"), 3),
    ],
    ids=["user's, at an evaluation", "user's, after a step", "early_stopping", "stop_on_accuracy"],
)
def test_stopped_run_is_not_trained_on_by_resume(tmp_path, words, step):
    run, users_own = tmp_path / "run", any("stopping.Stop" in word for word in words)
    done = ganexp(*words, cwd=tmp_path)
    assert step_and_status(run) == (step, "finished")
    reason = json.loads((run / "run.json").read_text()).get("stopped", "")
    assert reason in done.stdout
    assert reason.startswith("" if users_own else f"stopped at step {step} because ")
    mark_as_killed(run)
    ganexp("resume", "run", cwd=tmp_path)
    assert step_and_status(run) == (step, "finished")
    if reason:
        assert f"is finished ({reason}): nothing to do" in ganexp("resume", "run", cwd=tmp_path).stdout
        assert f"shorter than planned: step {step} of 6, {reason}" in read_run(run, "run").warnings


@pytest.mark.parametrize("steps", [6, 8], ids=["the same length", "a larger length"])
def test_stopped_run_is_continued_by_a_length(tmp_path, steps):
    run = tmp_path / "run"
    ganexp(*RUN, users(2, "on_train_epoch_end"), cwd=tmp_path)
    ganexp("resume", "run", f"schedule.steps={steps}", cwd=tmp_path)
    assert step_and_status(run) == (steps, "finished")
    assert json.loads((run / "run.json").read_text())["stopped"] is None


def test_time_limit_does_not_hide_or_feign_a_stop(tmp_path):
    """`resume` continues a run that ended only by its time limit, but not a run that a callback has also stopped."""
    limit = "trainer.max_time=00:00:00:00"
    ganexp(*RUN, limit, cwd=tmp_path)
    assert step_and_status(tmp_path / "run") == (2, "interrupted")
    ganexp("resume", "run", cwd=tmp_path)
    assert step_and_status(tmp_path / "run")[0] == 4
    ganexp(*SCORED, *EARLY, limit, "hydra.run.dir=both", cwd=tmp_path)
    ganexp("resume", "both", cwd=tmp_path)
    assert step_and_status(tmp_path / "both")[0] == 2
