"""Lightning is called once for several short steps, without any effect on the training and its logs."""

import json
from types import SimpleNamespace

import pytest
import torch
from helpers.cli import ganexp
from helpers.config import TINY
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import LambdaCallback, LearningRateMonitor
from pytorch_lightning.profilers import PassThroughProfiler

from ganexp import log_keys
from ganexp.callbacks.kept_checkpoints import KeptCheckpoints
from ganexp.callbacks.progress import ProgressLine
from ganexp.runs.run_directory import RunDirectory
from ganexp.training import processes, steps_per_call
from ganexp.training.gan import GAN
from ganexp.training.no_profiler import NoProfiler
from ganexp.training.steps_per_call import SHORTEST_CALL, sees_every_step, shortest_call
from ganexp.training.trainer import required_callbacks

N_CRITIC = "schedule.updates.n_critic=2"


class EveryStep(Callback):
    """A callback from elsewhere, which Lightning calls before each step."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        pass


class OnlyLogged(EveryStep):
    """A callback from elsewhere that declares that it needs only some steps."""

    sees_every_step = False


@pytest.mark.parametrize(
    ("callback", "sees_all"),
    [
        (Callback(), False),
        (EveryStep(), True),
        (OnlyLogged(), False),
        (LambdaCallback(on_train_batch_end=print), True),
        (LambdaCallback(on_validation_end=print), False),
        (LearningRateMonitor(), True),
        (ProgressLine(), False),
        (KeptCheckpoints(RunDirectory("run"), [1]), True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Callback) else str(value),
)
def test_callbacks_from_elsewhere_see_every_step_if_they_can(callback, sees_all):
    assert sees_every_step(callback) is sees_all
    trainer = SimpleNamespace(callbacks=[*required_callbacks(), callback], profiler=NoProfiler())
    assert shortest_call(trainer) == (0.0 if sees_all else SHORTEST_CALL)


def test_several_processes_and_profilers_need_single_steps(monkeypatch):
    assert shortest_call(SimpleNamespace(callbacks=[], profiler=NoProfiler())) == SHORTEST_CALL
    assert shortest_call(SimpleNamespace(callbacks=[], profiler=PassThroughProfiler())) == 0.0
    monkeypatch.setattr(processes, "count", lambda: 2)
    assert shortest_call(SimpleNamespace(callbacks=[], profiler=NoProfiler())) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "ends"),
    [
        (("schedule.steps=11", "schedule.evaluate_every=5"), [3, 5, 6, 9, 10, 11]),
        (("schedule.steps=11", "schedule.evaluate_every=8", "schedule.max_d_steps=7"), [3, 6, 7]),
        (("schedule.steps=5", "schedule.evaluate_every=8", "schedule.evaluate_by=d_steps", N_CRITIC), [2, 3, 4, 5]),
    ],
    ids=["steps", "limit", "d_steps"],
)
def test_calls_end_where_values_are_logged_or_scored(tmp_path, monkeypatch, overrides, ends):
    training_step, seen = GAN.training_step, []

    def watched(gan, *args):
        training_step(gan, *args)
        seen.append(gan.step)

    monkeypatch.setattr(GAN, "training_step", watched)
    for name, seconds in (("single", 0.0), ("several", 1e9)):
        seen.clear()
        monkeypatch.setattr(steps_per_call, "SHORTEST_CALL", seconds)
        settings = (*TINY, "loss=hinge", *overrides, "trainer.log_every=3", "schedule/lr_decay=linear")
        ganexp(*settings, f"hydra.run.dir={name}", cwd=tmp_path)
        if name == "single":
            assert seen == list(range(1, ends[-1] + 1))
    assert seen == ends
    assert _points(tmp_path / "single") == _points(tmp_path / "several")
    for key, single in _weights(tmp_path / "single").items():
        assert torch.equal(single, _weights(tmp_path / "several")[key]), key


def _points(run):
    points = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in point.items() if key != log_keys.SECONDS} for point in points]


def _weights(run):
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
