"""A run that was stopped by SIGTERM or Ctrl-C and then resumed ends with the same bits as an undisturbed run."""

import json
import signal

import pytest
import torch
from helpers.caches import caches_of_tests
from helpers.cli import ganexp
from helpers.states import last_checkpoint, logged_points, same_state

pytestmark = pytest.mark.slow

MODULE = """
import signal
from pathlib import Path
from pytorch_lightning import Callback

class Interrupt(Callback):
    def __init__(self, name: str, step: int, hook: str, times: int = 1) -> None:
        self.signal, self.step, self.times = getattr(signal, name), step, times
        setattr(self, hook, self.send)

    def send(self, trainer, pl_module, *args):
        sent = Path("sent-" + str(self.step))
        if pl_module.step == self.step and not sent.exists():
            sent.touch()
            for _ in range(self.times):
                signal.raise_signal(self.signal)

    def on_train_batch_start(self, *args):
        pass

    def on_validation_batch_start(self, *args):
        pass

class Stop(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, pl_module, *args):
        trainer.should_stop = trainer.should_stop or pl_module.step == self.step

class Spoil(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, *args):
        if pl_module.step == self.step:
            for weight in pl_module.discriminator.parameters():
                weight.data.fill_(float("nan"))
"""
WORDS = (
    "schedule.steps=8",
    "schedule.evaluate_every=4",
    "schedule.batch_size=8",
    "trainer.log_every=1",
    "loss.n_critic=2",
    "data.flip=true",
    "model.generator.norm=batch",
    "model.discriminator.dropout=0.3",
    "model.conditional=true",
    "schedule.ema.decay=0.9",
    "schedule/lr_decay=linear",
    "metrics.samples=60",
    "metrics.batch_size=20",
    "metrics.extractor.updates=10",
    "metrics/score=[is,fid]",
    "metrics.grid_rows=2",
    "metrics.grid_columns=2",
    "trainer=cpu",
    "callbacks=[progress,sample_grids]",
)
BATCH, VALIDATION, EVALUATED = "on_train_batch_start", "on_validation_batch_start", "on_validation_epoch_end"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Train a run without interruptions, and return the run directory."""
    cwd = tmp_path_factory.mktemp("whole")
    with caches_of_tests(tmp_path_factory):
        ganexp(*WORDS, "hydra.run.dir=run", cwd=cwd)
    return cwd / "run"


@pytest.fixture
def importable(tmp_path, monkeypatch):
    """Write the module of the callback that sends signals, and make this module importable."""
    (tmp_path / "interrupting.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("GANEXP_TRUST", "interrupting")


def interrupt(name, step, hook=BATCH, times=1):
    """Return an override that adds a callback whose method `hook` sends a signal `times` times after `step` steps."""
    node = f"{{_target_: interrupting.Interrupt, name: {name}, step: {step}, hook: {hook}, times: {times}}}"
    return f"+callbacks.at_{step}={node}"


@pytest.mark.parametrize(
    ("signals", "stops"),
    [
        ([("SIGTERM", 1), ("SIGINT", 2)], [2, 3]),  # two steps after each other
        # The first signal comes in the last step before an evaluation, and interrupts the evaluation.
        # The second signal comes in the first step after this evaluation.
        ([("SIGTERM", 3), ("SIGTERM", 4)], [0, 5]),
        ([("SIGTERM", 0, VALIDATION), ("SIGTERM", 8, VALIDATION)], [0, 4]),
        # after the last batch of three evaluations: the first, a middle and the last one
        ([("SIGTERM", 0, EVALUATED), ("SIGTERM", 4, EVALUATED), ("SIGTERM", 8, EVALUATED)], [0, 4, 8]),
        ([("SIGINT", 0, EVALUATED), ("SIGINT", 8, EVALUATED)], [0, 8]),
        ([("SIGINT", 6, BATCH, 2)], [4]),  # the second signal follows at once, within a step
    ],
    ids=str,
)
def test_interrupted_run_ends_with_the_same_bits(whole, tmp_path, importable, signals, stops):
    run = tmp_path / "run"
    words = (*WORDS, *(interrupt(*each) for each in signals), "hydra.run.dir=run")
    for attempt, step in enumerate(stops):
        stopped = ganexp(*(words if attempt == 0 else ("resume", "run")), cwd=tmp_path, check=False)
        assert stopped.returncode == 128 + getattr(signal, signals[attempt][0])
        assert "ganexp resume run" in stopped.stdout
        assert "Traceback" not in stopped.stderr
        assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
        assert (last_checkpoint(run)["ganexp"]["step"] if (run / "checkpoints" / "last.ckpt").exists() else 0) == step
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ganexp("resume", "run", cwd=tmp_path)
    assert same_run(run, whole)
    assert_time_goes_on(run)


def assert_time_goes_on(run):
    """Check that the count of training seconds goes on after interruptions: it grows from each step to the next."""
    points = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    seconds = [point["axis/seconds"] for point in points]
    assert seconds == sorted(seconds)
    losses = [point["axis/seconds"] for point in points if "loss/generator" in point]
    assert len(set(losses)) == 8  # no two of these points have the same time


def same_run(run, whole):
    """Check that two runs have equal states, points and scores; return whether their pictures have equal names."""
    ours, undisturbed = last_checkpoint(run), last_checkpoint(whole)
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "StreamData", "global_step", "epoch"):
        assert same_state(ours[part], undisturbed[part]), part
    assert same_state(ours["callbacks"]["RandomState"], undisturbed["callbacks"]["RandomState"])
    assert ours["ganexp"] | {"seconds": 0} == undisturbed["ganexp"] | {"seconds": 0}
    (best, score), (best_of_whole, score_of_whole) = best_checkpoint(run), best_checkpoint(whole)
    assert (best["ganexp"]["step"], score) == (best_of_whole["ganexp"]["step"], score_of_whole)
    assert same_state(best["state_dict"], best_of_whole["state_dict"])
    assert logged_points(run) == logged_points(whole)
    metadata, expected = (json.loads((each / "run.json").read_text()) for each in (run, whole))
    assert (metadata["status"], metadata["scores"]) == ("finished", expected["scores"])
    return {path.name for path in run.rglob("*.png")} == {path.name for path in whole.rglob("*.png")}


def best_checkpoint(run):
    """Return best.ckpt, and the last score that was compared with the best one."""
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    return best, last_checkpoint(run)["callbacks"]["ModelCheckpoint[best]"]["current_score"]


def test_stop_between_evaluations_is_followed_by_its_evaluation(tmp_path, importable):
    stop = "+callbacks.stop={_target_: interrupting.Stop, step: 6}"
    ganexp(*WORDS, stop, "hydra.run.dir=whole", cwd=tmp_path)
    words = (*WORDS, stop, interrupt("SIGTERM", 6, "on_validation_epoch_end"), "hydra.run.dir=run")
    assert ganexp(*words, cwd=tmp_path, check=False).returncode == 128 + signal.SIGTERM
    ganexp("resume", "run", cwd=tmp_path)
    assert last_checkpoint(tmp_path / "whole")["ganexp"]["step"] == 6
    assert same_run(tmp_path / "run", tmp_path / "whole")


def test_slurm_preemption_waits_for_the_end_of_the_step(tmp_path, importable, monkeypatch):
    """Within a step, Lightning's signal handler could wait forever for a lock that TensorBoard's writer holds."""
    names = ("JOB_ID", "JOB_NAME", "NTASKS", "PROCID", "LOCALID", "NODEID", "NODELIST")
    for name in names:
        monkeypatch.setenv(
            f"SLURM_{name}", {"JOB_NAME": "train", "NTASKS": "1", "NODELIST": "localhost"}.get(name, "0")
        )
    ganexp(*WORDS, interrupt("SIGUSR1", 2), interrupt("SIGUSR1", 4, VALIDATION), "hydra.run.dir=run", cwd=tmp_path)
    (saved,) = (tmp_path / "run").glob("hpc_ckpt_1.ckpt")
    assert torch.load(saved, weights_only=True)["ganexp"]["step"] == 3
    assert (tmp_path / "run" / "hpc_ckpt_2.ckpt").exists()  # saved during the evaluation
    assert last_checkpoint(tmp_path / "run")["ganexp"]["step"] == 8


def test_diverged_run_keeps_its_last_checkpoint(tmp_path, importable):
    words = (*WORDS, "+callbacks.spoil={_target_: interrupting.Spoil, step: 6}")
    failed = ganexp(*words, "hydra.run.dir=run", cwd=tmp_path, check=False)
    assert "The run diverged" in failed.stderr
    checkpoint = last_checkpoint(tmp_path / "run")
    assert checkpoint["ganexp"]["step"] == 4
    assert all(weight.isfinite().all() for weight in checkpoint["state_dict"].values())
