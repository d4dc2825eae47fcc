"""Callbacks that are not part of ganexp, and come from a user's --config-dir, see the right values of a training."""

import json

import pytest
from helpers.cli import ganexp
from helpers.config import TINY

pytestmark = pytest.mark.slow

MODULE = """
import json
import torch
from pytorch_lightning import Callback

def images_a_step(batch):
    return 3 * 8  # three discriminator updates with eight real images each

class Steps(Callback):
    def __init__(self, path: str) -> None:
        self.file = open(path, "a")

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        print(json.dumps([trainer.global_step, pl_module.step]), file=self.file, flush=True)

class GradientNorm(Callback):
    def on_validation_end(self, trainer, pl_module):
        z = pl_module.latent.sample(4, pl_module.device)
        with torch.enable_grad():
            loss = pl_module.discriminator(pl_module.generator(z, None), None).sum()
            gradients = torch.autograd.grad(loss, list(pl_module.generator.parameters()))
        pl_module.log_values({"gradient_norm": torch.cat([each.flatten() for each in gradients]).norm().item()})
"""
CALLBACKS = """
learning_rates: {_target_: pytorch_lightning.callbacks.LearningRateMonitor}
throughput:
  _target_: pytorch_lightning.callbacks.ThroughputMonitor
  batch_size_fn: {_target_: hydra.utils.get_method, path: foreign.images_a_step}
  window_size: 2
steps: {_target_: foreign.Steps, path: steps.txt}
"""


@pytest.fixture
def overrides(tmp_path, monkeypatch):
    """Write a module of callbacks and a user's config of these callbacks; return overrides that choose this config."""
    (tmp_path / "foreign.py").write_text(MODULE)
    (tmp_path / "mine" / "callbacks").mkdir(parents=True)
    (tmp_path / "mine" / "callbacks" / "foreign.yaml").write_text(CALLBACKS)
    monkeypatch.syspath_prepend(tmp_path)
    return ("--config-dir", "mine", *TINY, "callbacks=[progress,foreign]", "loss=hinge", "schedule.updates.n_critic=3")


def points(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_foreign_callbacks_see_the_right_values(tmp_path, overrides):
    length = ("schedule.steps=6", "schedule.evaluate_every=3", "trainer.log_every=1")
    ganexp(*overrides, *length, "optimizer=ttur", "schedule/lr_decay=linear", "hydra.run.dir=run", cwd=tmp_path)
    logged = points(tmp_path / "run")
    rates = [
        (point["step"], point["lr/generator"], point["lr/discriminator"]) for point in logged if "lr/generator" in point
    ]
    expected = [(step, 1e-4 * (1 - step / 6), 4e-4 * (1 - step / 6)) for step in range(6)]
    assert rates == [pytest.approx(values, rel=0, abs=1e-15) for values in expected]

    throughput = [point for point in logged if "train/batches" in point]
    assert [(point["step"], point["train/batches"], point["train/samples"]) for point in throughput] == [
        (step, step + 1, 24 * (step + 1)) for step in range(6)
    ]
    speeds = [point for point in throughput if "train/device/samples_per_sec" in point]
    assert speeds
    for point in speeds:
        assert point["train/device/samples_per_sec"] == pytest.approx(24 * point["train/device/batches_per_sec"])

    steps = [json.loads(line) for line in (tmp_path / "steps.txt").read_text().splitlines()]
    assert steps == [[step, step] for step in range(1, 7)]


def test_callback_may_compute_gradients_in_every_evaluation(tmp_path, overrides):
    ganexp(*overrides, "+callbacks.norm={_target_: foreign.GradientNorm}", "hydra.run.dir=run", cwd=tmp_path)
    norms = {point["step"]: point["gradient_norm"] for point in points(tmp_path / "run") if "gradient_norm" in point}
    assert list(norms) == [0, 2, 4]
    assert all(norm > 0 for norm in norms.values())


def test_monitors_log_as_often_as_losses(tmp_path, overrides):
    length = ("schedule.steps=6", "schedule.evaluate_every=6", "trainer.log_every=3")
    ganexp(*overrides, *length, "hydra.run.dir=run", cwd=tmp_path)
    logged = points(tmp_path / "run")
    assert [point["step"] for point in logged if "loss/generator" in point] == [3, 6]
    assert [point["train/batches"] for point in logged if "train/batches" in point] == [3, 6]
    # Without a learning-rate decay, the keys of the learning rates contain the optimizer's class name, Adam.
    rates = [point for point in logged if any("Adam" in key for key in point)]
    assert [point["step"] for point in rates] == [0, 2, 5]  # the point at step 0 is logged when the epoch starts


def test_resumed_run_logs_the_rates_of_an_undisturbed_one(tmp_path, overrides):
    words = (*overrides, "schedule.steps=6", "schedule.evaluate_every=2", "schedule/lr_decay=linear")
    ganexp(*words, "hydra.run.dir=whole", cwd=tmp_path)
    ganexp(*words, "trainer.max_time=00:00:00:00", "hydra.run.dir=run", cwd=tmp_path)
    environment = pytest.MonkeyPatch()
    environment.setenv("GANEXP_TRUST", "foreign,pytorch_lightning,hydra")
    for _ in range(2):
        ganexp("resume", "run", cwd=tmp_path)
    environment.undo()
    rates = [
        [(point["step"], point["lr/generator"]) for point in points(tmp_path / name) if "lr/generator" in point]
        for name in ("whole", "run")
    ]
    assert len(rates[0]) == 6
    assert rates[0] == rates[1]


CHECKPOINTS = """
every: {_target_: pytorch_lightning.callbacks.ModelCheckpoint, filename: "{step}", save_top_k: -1}
two_best: {_target_: pytorch_lightning.callbacks.ModelCheckpoint, monitor: fid_classifier, save_top_k: 2, mode: min}
"""


def test_lightnings_checkpoints_lie_beside_ganexps(tmp_path, monkeypatch):
    (tmp_path / "mine" / "callbacks").mkdir(parents=True)
    (tmp_path / "mine" / "callbacks" / "checkpoints.yaml").write_text(CHECKPOINTS)
    monkeypatch.setenv("GANEXP_TRUST", "pytorch_lightning")
    own = ("--config-dir", "mine", *TINY, "callbacks=[progress,checkpoints]", "schedule.evaluate_every=2")
    scores = ("metrics=classifier", "metrics.samples=40", "metrics.extractor.updates=5", "metrics/score=[fid]")
    ganexp(*own, *scores, "schedule.steps=4", "hydra.run.dir=run", cwd=tmp_path)
    ganexp("resume", "run", "schedule.steps=6", cwd=tmp_path)
    names = {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert {"best.ckpt", "last.ckpt", "step=2.ckpt", "step=4.ckpt", "step=6.ckpt"} <= names
    assert len(names) == 7


def test_callbacks_with_one_state_are_refused_by_name(tmp_path):
    (tmp_path / "mine" / "callbacks").mkdir(parents=True)
    twice = "{name}: {{_target_: pytorch_lightning.callbacks.ModelCheckpoint, filename: {name}}}\n"
    (tmp_path / "mine" / "callbacks" / "twice.yaml").write_text(twice.format(name="a") + twice.format(name="b"))
    done = ganexp("--config-dir", "mine", *TINY, "callbacks=[progress,twice]", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "refuses a setting of callbacks, logger or trainer" in done.stderr
    assert "state_key" in done.stderr
